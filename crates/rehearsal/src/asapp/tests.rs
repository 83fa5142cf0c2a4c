use std::fs;

use super::*;
use crate::world::WorldSpec;

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, into),
            path => into.push(path),
        }
    }
}

#[test]
fn a_delivery_has_split_zipped_unfinished_and_empty_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::generate(WorldSpec::new(1, 60));
    let exports = write(folder.path(), &world, &AsappOptions::default()).unwrap();
    let mut all = Vec::new();
    files(&exports.tree, &mut all);
    let named = |end: &str| {
        all.iter()
            .filter(|path| path.to_string_lossy().ends_with(end))
            .count()
    };
    assert!(named(".gz") > 10 && named(".01") > 10 && named(".jsonl") > 10);
    let folders: std::collections::BTreeSet<_> =
        all.iter().filter_map(|path| path.parent()).collect();
    let finished = named("_SUCCESS");
    // The root holds the description of the exports.
    assert_eq!(
        folders.len(),
        finished + 3 + 1,
        "every twentieth of 60 issues is in progress once"
    );
    let alone = |folder: &&&Path| {
        fs::read_dir(folder).unwrap().count() == 1 && folder.join("_SUCCESS").exists()
    };
    assert!(folders.iter().any(|folder| alone(&folder)));
}

#[test]
fn a_folder_that_has_a_delivery_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let small = World::generate(WorldSpec::new(1, 6));
    write(folder.path(), &small, &AsappOptions::default()).unwrap();
    let before = fs::read(folder.path().join("customers.jsonl")).unwrap();
    let other = World::generate(WorldSpec::new(2, 6));
    write(folder.path(), &other, &AsappOptions::default()).unwrap();
    assert_eq!(
        fs::read(folder.path().join("customers.jsonl")).unwrap(),
        before
    );
}
