//! Reading again what changed since the last read.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Scope, Shard, Source};
use crate::stage::index::Index;

/// Has the parts of a source read again from where they ended. Gives how many there are.
///
/// Each part is asked for with its own watermark. A source that names the parts of a later read otherwise has them taken as
/// they are named: those that are known lead to the next.
pub(super) async fn begin(cx: &Context, source: &dyn Source, index: &dyn Index) -> Result<usize> {
    if !index.is_whole().await? {
        let said = "the last read did not come to its end";
        return Err(Error::new(ErrorKind::Conflict, "look for changes", said)
            .advise("`resume` brings it to its end"));
    }
    let parts = source.shards(cx, &Scope::default()).await?;
    let names: BTreeSet<String> = parts.iter().map(|shard| shard.id.clone()).collect();
    let mut again: Vec<Shard> = Vec::new();
    let mut looked_at = BTreeSet::new();
    let mut open: Vec<String> = names.iter().cloned().collect();
    while let Some(name) = open.pop() {
        if !looked_at.insert(name.clone()) {
            continue;
        }
        let Some(end) = index
            .shards(&[&name])
            .await?
            .pop()
            .and_then(|state| state.end)
        else {
            // This version of the source reads more than the last one did.
            again.extend(parts.iter().filter(|shard| shard.id == name).cloned());
            continue;
        };
        let scope = Scope {
            since: Some(end),
            ..Scope::default()
        };
        for shard in source.shards(cx, &scope).await? {
            if shard.id == name {
                again.push(shard);
            } else if !names.contains(&shard.id) {
                match index.shards(&[&shard.id]).await?.is_empty() {
                    true if !again.iter().any(|known| known.id == shard.id) => again.push(shard),
                    true => {}
                    false => open.push(shard.id),
                }
            }
        }
    }
    index.renew_shards(&again).await?;
    Ok(again.len())
}
