//! Bodies of real-time events that the company archived: ASAPP sends each once and cannot be asked (ASAPP reference, section 5).

use std::path::Path;

use async_trait::async_trait;
use deskferry_core::{Context, Result};

use super::{Bytes, Channel, Entry, Folder, Listing};
use crate::tables::{EVENTS, Family, Table};

/// A folder of files with one body a line, whatever its folders are called.
#[derive(Debug)]
pub(crate) struct Events(Folder);

impl Events {
    pub(crate) fn new(root: &Path) -> Self {
        Self(Folder::new(root, Family::Messaging))
    }
}

#[async_trait]
impl Channel for Events {
    fn name(&self) -> &'static str {
        "archived events"
    }

    fn family(&self) -> Family {
        Family::Messaging
    }

    fn table(&self) -> Option<&'static Table> {
        Some(&EVENTS)
    }

    fn is_gated(&self) -> bool {
        false
    }

    fn lists_freely(&self) -> bool {
        true
    }

    async fn list(&self, cx: &Context, path: &[String]) -> Result<Listing> {
        self.0.list(cx, path).await
    }

    async fn open(&self, cx: &Context, path: &[String], file: &Entry) -> Result<Bytes> {
        self.0.open(cx, path, file).await
    }
}
