//! Every tag that conversations of a world may carry.

use super::World;
use super::model::Tag;
use super::words::TAGS;

impl World {
    /// Tags by id, ascending, each once.
    pub fn tags(&self) -> Vec<Tag> {
        let mut tags: Vec<Tag> = if self.spec.is_some() {
            let names = TAGS.iter().zip(1..);
            names
                .map(|(name, id)| Tag {
                    id,
                    name: (*name).to_owned(),
                })
                .collect()
        } else {
            let all = self.lists.conversations.iter();
            all.flat_map(|conversation| conversation.tags.clone())
                .collect()
        };
        tags.sort_by_key(|tag| tag.id);
        tags.dedup_by_key(|tag| tag.id);
        tags
    }
}
