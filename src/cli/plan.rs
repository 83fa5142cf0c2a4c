//! What must be decided and installed before a run, from what was read. Writes nothing to a platform.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use deskferry_core::report::{Discovery, FieldFound};
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result, Sink};

use super::SinkKit;
use super::exit::Done;

/// How the package is installed; stands beside it.
const README: &str = "\
The fields that the migration's mapping names, and a permission set that shows them, in the format of Salesforce's
Metadata API. Installing it again changes nothing. Try it in a sandbox first. Usual ways:

Salesforce CLI, inside any project folder (`sf project generate` makes one):

    sf project deploy start --metadata-dir package.zip --single-package --target-org ORG --wait 30
    sf org assign permset --name Deskferry_Migration --target-org ORG --on-behalf-of MIGRATION_USER

A browser tool such as Workbench: Migration, Deploy, choose package.zip, tick \"Single Package\" and \"Rollback On Error\".
Then in Setup: Permission Sets, Deskferry Migration, Manage Assignments, add the migration user.

Fields that are there already are brought to what stands here. The values of a list that are in the org and not here
would be deactivated: compare before you install, if somebody made such a field by hand.

Afterwards `doctor` says whether everything fits.
";

/// What a plan found.
#[derive(Debug, Default)]
struct Plan {
    /// In use at the source, and no line of the mapping takes them.
    left_behind: Vec<FieldFound>,
    /// Lines of the mapping for fields that no record has.
    unused: Vec<(RecordKind, String)>,
}

impl Plan {
    fn of(found: &Discovery, taken: &BTreeSet<(RecordKind, String)>) -> Self {
        let in_use = |of: RecordKind, name: &str| {
            found
                .fields
                .iter()
                .any(|f| f.of == of && f.field == name && f.used > 0)
        };
        let mapped = |f: &FieldFound| taken.contains(&(f.of, f.field.clone()));
        let left_behind = found.fields.iter().filter(|f| f.used > 0 && !mapped(f));
        let unused = taken.iter().filter(|(of, name)| !in_use(*of, name));
        Self {
            left_behind: left_behind.cloned().collect(),
            unused: unused.cloned().collect(),
        }
    }

    fn text(&self) -> String {
        // Writing to a string cannot fail.
        let mut out = String::new();
        if self.left_behind.is_empty() {
            out.push_str("Every custom field in use has a line in the mapping.\n");
        } else {
            out.push_str("Custom fields in use without a line in the mapping (their values are kept together as JSON, in no field of their own):\n");
        }
        for field in &self.left_behind {
            let shape = field.shapes.first().map_or("", String::as_str);
            let name = format!("{} custom.{}", field.of.name(), field.field);
            let (used, holds) = (field.used, &field.holds);
            let _ = writeln!(out, "  {name:<44}{used:>9} records  {holds}  {shape}");
        }
        if !self.unused.is_empty() {
            out.push_str("Lines of the mapping for fields that no record has:\n");
        }
        for (of, name) in &self.unused {
            let _ = writeln!(out, "  {} custom.{name}", of.name());
        }
        out
    }
}

/// Makes the plan: prints it, and writes the package for the administrator into `plan/`.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn make(
    kit: &SinkKit,
    sink: &dyn Sink,
    found: &Discovery,
    folder: &Path,
) -> Result<Done> {
    let mapping = folder.join("mapping.toml");
    let plan = Plan::of(found, &(kit.taken)(&mapping)?);
    println!("{}", plan.text());
    let written = write_package(&folder.join("plan"), &(kit.package)(&mapping)?)?;
    println!("package for the administrator: {}", written.display());
    println!(
        "how to install it:             {}",
        folder.join("plan/README.txt").display()
    );
    match sink.check(&Context::new()).await {
        Ok(info) => {
            println!("\nThe mapping fits {} ({}).", info.name, info.id);
            for warning in info.warnings {
                println!("to decide: {warning}");
            }
            Ok(Done::Well)
        }
        Err(error) if error.kind() == ErrorKind::Config => {
            println!("\n{error}");
            println!("Install the package, then ask again.");
            Ok(Done::Blocked(ErrorKind::Config))
        }
        Err(error) => Err(error),
    }
}

/// The files in a folder, and all of them in one zip, which is answered.
fn write_package(folder: &Path, package: &super::Package) -> Result<PathBuf> {
    let write = |path: &Path, bytes: &[u8]| {
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(path, bytes))
            .map_err(|e| Error::storage("write the package", e).with("file", path.display()))
    };
    for (path, text) in &package.files {
        write(&folder.join("package").join(path), text.as_bytes())?;
    }
    let zip = folder.join("package.zip");
    write(&zip, &package.zip)?;
    write(&folder.join("README.txt"), README.as_bytes())?;
    Ok(zip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_the_mapping_are_held_against_what_is_in_use() {
        let field = |name: &str, used| FieldFound {
            of: RecordKind::Conversation,
            field: name.into(),
            title: String::new(),
            holds: "TEXT".into(),
            used,
            shapes: BTreeSet::new(),
        };
        let mut found = Discovery::default();
        found.fields = vec![field("both", 3), field("source_only", 7), field("never", 0)];
        let line = |name: &str| (RecordKind::Conversation, name.to_owned());
        let taken = BTreeSet::from([line("both"), line("mapping_only")]);
        let plan = Plan::of(&found, &taken);
        let names: Vec<&str> = plan.left_behind.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(names, ["source_only"]);
        assert_eq!(plan.unused, [line("mapping_only")]);
        let text = plan.text();
        assert!(text.contains("conversation custom.source_only"), "{text}");
        assert!(!text.contains("custom.never"), "{text}");
    }
}
