//! `impl Probing`: one difficult row per object, made, read back and removed: what the references leave open, this org answers
//! (Salesforce objects, sections 1 to 5).

mod notes;
mod tries;

use std::path::Path;
use std::sync::PoisonError;

use async_trait::async_trait;
use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::probing::{Did, Probed, Probing};

use crate::sink::Salesforce;
use notes::Notes;
use tries::Tries;

/// What all keys of our rows begin with.
const KEY: &str = "deskferry-probe:";
const FORMAT: u32 = 1;

/// What an org does to texts beside what every org does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Learned {
    /// Several blanks become one.
    single_blanks: bool,
    /// Carriage returns go.
    line_ends: bool,
}

impl Learned {
    fn of(probed: &Probed) -> Self {
        let changed = |point: &str| probed.of(point).any(|found| found.did == Did::Changed);
        Self {
            single_blanks: changed("blanks-inside"),
            line_ends: changed("line-ends"),
        }
    }

    /// Whether what was found explains that this text became that one.
    pub(crate) fn explains(self, sent: &str, stands: &str) -> bool {
        let mut text = sent.to_owned();
        if self.line_ends {
            text = text.replace("\r\n", "\n");
        }
        if self.single_blanks {
            while text.contains("  ") {
                text = text.replace("  ", " ");
            }
        }
        text != sent && text.trim() == stands.trim()
    }
}

#[async_trait]
impl Probing for Salesforce {
    async fn probe(&self, cx: &Context, notes: &Path) -> Result<Probed> {
        let org = self.org(cx).await?;
        let mark = format!("{:x}", cx.now().timestamp_micros());
        let notes = Notes::begin(notes, &mark)?;
        let mut tries = Tries::new(cx, self.api(), &org, mark, notes);
        let tried = tries.all().await;
        // Also what a probe left that could not go on.
        let (points, mut notes) = tries.found();
        let left = notes.clean(cx, self.api(), &org).await;
        tried?;
        Ok(Probed {
            format: FORMAT,
            target: org.id.clone(),
            name: org.name.clone(),
            at: cx.now(),
            points,
            left: left?.1,
        })
    }

    async fn clean(&self, cx: &Context, notes: &Path) -> Result<u64> {
        let Some(mut notes) = Notes::left(notes)? else {
            return Ok(0);
        };
        let org = self.org(cx).await?;
        Ok(notes.clean(cx, self.api(), &org).await?.0)
    }

    fn learn(&self, probed: &Probed) {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = Learned::of(probed);
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use deskferry_core::probing::Point;

    use super::*;

    fn learned(changed: &[&str]) -> Learned {
        let point = |point: &str, did| Point {
            point: point.into(),
            of: "Case.Subject".into(),
            did,
            sent: String::new(),
            found: String::new(),
        };
        let mut points = vec![point("four-bytes", Did::Kept)];
        points.extend(changed.iter().map(|name| point(name, Did::Changed)));
        Learned::of(&Probed {
            format: FORMAT,
            target: "00D".into(),
            name: "org".into(),
            at: Utc::now(),
            points,
            left: Vec::new(),
        })
    }

    #[test]
    fn only_what_the_org_was_seen_to_do_explains_a_difference() {
        let none = learned(&[]);
        let blanks = learned(&["blanks-inside"]);
        let both = learned(&["blanks-inside", "line-ends"]);
        for (learned, sent, stands, explained) in [
            (none, "a   b", "a b", false),
            (blanks, "a   b ", "a b", true),
            (blanks, "a   b", "a c", false),
            (blanks, "a\r\nb", "a\nb", false),
            (both, "a  \r\nb", "a \nb", true),
            (both, "same", "same", false),
        ] {
            assert_eq!(learned.explains(sent, stands), explained, "{sent:?}");
        }
    }
}
