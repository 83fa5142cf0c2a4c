use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Lists, World, WorldSpec};

/// What a helpdesk is filled with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// A world made from a number.
    Made(WorldSpec),
    /// A folder of real mails; read again at each start.
    MailDir(PathBuf),
    /// Lists written by hand.
    Given(Box<Lists>),
}

impl Content {
    /// The world itself.
    ///
    /// # Errors
    /// The folder of mails cannot be read.
    pub fn world(&self) -> io::Result<World> {
        Ok(match self {
            Self::Made(spec) => World::generate(spec.clone()),
            Self::MailDir(path) => World::from_mail_dir(path)?,
            Self::Given(lists) => World::given(lists.as_ref().clone()),
        })
    }
}
