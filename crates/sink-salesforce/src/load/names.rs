//! Names of records that have no row of their own but are shown in other rows (a team, an agent): kept as effects of
//! their records, so that a later run knows them without reading the records again.

use deskferry_core::journal::{Effect, EffectState, Known, Operation};
use deskferry_core::sink::Loaded;

/// The object under which a name is kept. No org has one of that name.
const NAME: &str = "name";
/// The object under which an address is kept.
const ADDRESS: &str = "address";

pub(super) fn keep(loaded: &Loaded, name: &str, address: Option<&str>) -> Vec<Effect> {
    let kept = |n: u32, object: &str, text: &str| Effect {
        record: loaded.id,
        row: loaded.row(n),
        object: object.to_owned(),
        operation: Operation::Matched,
        state: EffectState::Confirmed {
            id: text.to_owned(),
        },
        hash: [0; 16],
    };
    let name = (!name.trim().is_empty()).then(|| kept(1, NAME, name));
    name.into_iter()
        .chain(address.map(|address| kept(2, ADDRESS, address)))
        .collect()
}

pub(super) fn name(known: &Known) -> Option<String> {
    known.id_of(NAME).map(str::to_owned)
}

pub(super) fn address(known: &Known) -> Option<String> {
    known.id_of(ADDRESS).map(str::to_owned)
}
