//! What a Case shows of how long things took and how they were liked, besides the rating itself.

use chrono::{DateTime, Utc};

use super::Ground;
use super::want::{Sheet, Want};
use crate::world::Conversation;

/// What a platform tells of one figure of a conversation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Figure {
    /// This number.
    Number(f64),
    /// This moment.
    Time(DateTime<Utc>),
    /// This word.
    Word(&'static str),
    /// Something: the platform or its connector reckons it in a way of its own.
    Told,
    /// The same, for some conversations.
    Perhaps,
}

/// The fields must hold what the platform tells, and nothing where it tells nothing.
pub(super) fn figures(ground: &Ground<'_>, conversation: &Conversation, sheet: &mut Sheet) {
    for (field, figure) in ground.options.platform.figures(conversation) {
        sheet.set(
            field,
            match figure {
                Figure::Number(number) => Want::Number(number),
                Figure::Time(time) => Want::Time(time),
                Figure::Word(word) => Want::Text(word.to_owned()),
                Figure::Told => Want::Something,
                Figure::Perhaps => Want::Anything,
            },
        );
    }
}
