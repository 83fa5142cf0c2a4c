//! Taking a schema away again: what the platform deletes is deleted, what it only switches off is switched off.

use std::collections::BTreeMap;

use deskferry_core::prepare::{Change, Doing};

use super::xml::{self, Xml};
use super::{Contents, PackageFile};
use crate::config::API_VERSION;
use crate::mapping::RecordTypeSpec;
use crate::prepare::is_removed;

impl Contents {
    /// The package that takes away what was made here: a list of what is deleted, and record types that become inactive.
    pub(crate) fn withdrawn(made: &[Change], types: &[RecordTypeSpec]) -> Vec<PackageFile> {
        let objects: Vec<&str> = made
            .iter()
            .filter(|line| is_removed(line) && line.kind == "object")
            .map(|line| line.name.as_str())
            .collect();
        let mut gone: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for line in made.iter().filter(|line| is_removed(line)) {
            let kind = match line.kind.as_str() {
                "field" => "CustomField",
                "object" => "CustomObject",
                "permission set" => "PermissionSet",
                "list view" => "ListView",
                "tab" => "CustomTab",
                _ => continue,
            };
            // The fields of an object go with it.
            let of = line.name.split_once('.').map(|(object, _)| object);
            if kind == "CustomField" && of.is_some_and(|of| objects.contains(&of)) {
                continue;
            }
            // Fields of tasks are defined where those of events are.
            let name = match line.name.split_once('.') {
                Some((object, field)) => format!("{}.{field}", xml::place_of(object)),
                None => line.name.clone(),
            };
            gone.entry(kind).or_default().push(name);
        }
        let off: Vec<&RecordTypeSpec> = types
            .iter()
            .filter(|known| {
                let full = format!("{}.{}", known.object, known.name);
                // One that was there before is somebody else's.
                let same = |line: &Change| {
                    line.doing == Doing::New && line.kind == "record type" && line.name == full
                };
                made.iter().any(same)
            })
            .collect();
        let file = |path: &str, content: String| PackageFile {
            path: path.to_owned(),
            content,
        };
        let listed: Vec<String> = off
            .iter()
            .map(|known| format!("{}.{}", known.object, known.name))
            .collect();
        let mut manifest = BTreeMap::new();
        if !listed.is_empty() {
            manifest.insert("RecordType", listed);
        }
        let mut files = vec![
            file("package.xml", package(&manifest)),
            file("destructiveChanges.xml", package(&gone)),
        ];
        if !off.is_empty() {
            files.push(file("objects/Case.object", xml::switched_off(&off)));
        }
        files
    }
}

fn package(members: &BTreeMap<&str, Vec<String>>) -> String {
    let mut xml = Xml::new("Package");
    for (kind, names) in members {
        xml.line(1, "<types>");
        for name in names {
            xml.value(2, "members", name);
        }
        xml.value(2, "name", kind);
        xml.line(1, "</types>");
    }
    xml.value(1, "version", API_VERSION);
    xml.end("Package")
}

#[cfg(test)]
mod tests {
    use deskferry_core::prepare::Back;

    use super::*;

    fn line(doing: Doing, kind: &str, name: &str, back: Back) -> Change {
        Change {
            doing,
            kind: kind.into(),
            name: name.into(),
            said: String::new(),
            back,
        }
    }

    #[test]
    fn only_what_was_made_goes_and_types_are_switched_off() {
        let made = [
            line(Doing::New, "field", "Case.Mine__c", Back::Removed),
            line(Doing::There, "field", "Case.Theirs__c", Back::Stays),
            line(Doing::New, "field", "Task.Call__c", Back::Removed),
            line(Doing::New, "object", "Thing__c", Back::Removed),
            line(Doing::New, "field", "Thing__c.Of__c", Back::Removed),
            line(Doing::Extended, "values", "Case.Status", Back::Deactivated),
            line(Doing::New, "record type", "Case.Ours", Back::Deactivated),
            line(Doing::Extended, "record type", "Case.Other", Back::Stays),
            line(Doing::New, "permission set", "Set", Back::Removed),
        ];
        let known = |name: &str| RecordTypeSpec {
            object: "Case".into(),
            name: name.into(),
            label: name.into(),
            business_process: "P".into(),
            statuses: Vec::new(),
        };
        let files = Contents::withdrawn(&made, &[known("Ours"), known("Other")]);
        let text = |path: &str| &files.iter().find(|f| f.path == path).unwrap().content;
        let gone = text("destructiveChanges.xml");
        for name in ["Case.Mine__c", "Activity.Call__c", "Thing__c", "Set"] {
            assert!(
                gone.contains(&format!("<members>{name}</members>")),
                "{name}"
            );
        }
        for name in ["Theirs", "Of__c", "Status", "Ours"] {
            assert!(!gone.contains(name), "{name}");
        }
        let object: String = text("objects/Case.object").split_whitespace().collect();
        assert!(object.contains("<fullName>Ours</fullName><active>false</active>"));
        assert!(!object.contains("Other"));
        assert_eq!(Contents::withdrawn(&made[..1], &[]).len(), 2);
    }
}
