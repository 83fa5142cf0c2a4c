//! Which parts of an answer are written out: `include=` and `fields=` (Kayako reference, section 3).

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The resource types that the request wants written out in place of bare references.
#[derive(Debug, Default)]
pub(super) struct Include {
    all: bool,
    names: BTreeSet<String>,
}

impl Include {
    /// Names that exist nowhere are ignored without a word, as the platform does.
    pub(super) fn parse(list: Option<&str>) -> Self {
        let names: BTreeSet<String> = list
            .unwrap_or("")
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        Self {
            all: names.contains("*"),
            names,
        }
    }

    pub(super) fn has(&self, kind: &str) -> bool {
        self.all || self.names.contains(kind)
    }

    /// A nested object: whole if it was asked for, else a reference.
    pub(super) fn nest(
        &self,
        kind: &str,
        id: impl Into<Value>,
        whole: impl FnOnce() -> Value,
    ) -> Value {
        if self.has(kind) {
            whole()
        } else {
            reference(kind, id)
        }
    }

    /// A channel; these are known by `uuid`.
    pub(super) fn nest_channel(&self, uuid: &str, whole: impl FnOnce() -> Value) -> Value {
        if self.has("channel") {
            whole()
        } else {
            json!({"uuid": uuid, "resource_type": "channel"})
        }
    }
}

pub(super) fn reference(kind: &str, id: impl Into<Value>) -> Value {
    json!({"id": id.into(), "resource_type": kind})
}

/// What `fields=` asks for at the top level; nested forms are not needed here.
#[derive(Debug, Default)]
pub(super) struct Fields {
    only: BTreeSet<String>,
    add: BTreeSet<String>,
    remove: BTreeSet<String>,
}

impl Fields {
    pub(super) fn parse(list: Option<&str>) -> Self {
        let mut fields = Self::default();
        for name in list
            .unwrap_or("")
            .split(',')
            .filter(|name| !name.is_empty() && !name.contains('('))
        {
            match name.split_at(1) {
                ("+", name) => fields.add.insert(name.to_owned()),
                ("-", name) => fields.remove.insert(name.to_owned()),
                // A plus that was not percent-encoded arrives as a blank, and the name is not known.
                (" ", _) => false,
                _ => fields.only.insert(name.to_owned()),
            };
        }
        fields
    }

    /// Whether an opt-in field was asked for.
    pub(super) fn adds(&self, name: &str) -> bool {
        self.add.contains(name)
            || self.only.contains(name)
            || self.add.contains("*")
            || self.only.contains("*")
    }

    /// The object with what was not asked for taken away.
    pub(super) fn apply(&self, mut item: Value) -> Value {
        if let Some(object) = item.as_object_mut() {
            if !self.only.is_empty() && !self.only.contains("*") {
                let always = ["id", "resource_type"];
                object.retain(|name, _| {
                    always.contains(&name.as_str())
                        || self.only.contains(name)
                        || self.add.contains(name)
                });
            }
            object.retain(|name, _| !self.remove.contains(name));
        }
        item
    }
}
