//! Articles: what is published is archived before it is deleted, and a main text takes its translations along
//! (Salesforce objects, section 6).

use std::collections::HashMap;

use deskferry_core::context::Context;
use deskferry_core::error::Result;
use serde_json::{Value, json};

use crate::Salesforce;

/// What queries of articles must say.
pub(super) const ANY: &str = "PublishStatus IN ('Draft', 'Online', 'Archived') AND ";
/// How many versions one action names.
const AT_ONCE: usize = 100;

impl Salesforce {
    /// Takes what is published away from its readers. Answers the versions in the order in which they can be deleted:
    /// translations before what they are of. What would not be archived is refused when it is deleted.
    pub(super) async fn archived(&self, cx: &Context, ids: Vec<String>) -> Result<Vec<String>> {
        let mut rows = HashMap::new();
        // Translations that are archived along are not published any more at the second look.
        for masters in [true, false] {
            let select =
                "SELECT Id, PublishStatus, IsMasterLanguage FROM Knowledge__kav WHERE Id IN";
            let found = self.api().query_in(cx, select, &ids).await?;
            let is = |row: &Value| {
                row["IsMasterLanguage"] == masters && row["PublishStatus"] == "Online"
            };
            let online: Vec<&str> = found
                .iter()
                .filter(|row| is(row))
                .filter_map(|row| row["Id"].as_str())
                .collect();
            for some in online.chunks(AT_ONCE) {
                let input = json!({"articleVersionIdList": some});
                // What a lost answer did shows at the next look, or when the version is deleted.
                self.api()
                    .act(cx, "archiveKnowledgeArticles", &[input])
                    .await?;
            }
            rows.extend(found.into_iter().filter_map(|row| {
                Some((
                    row["Id"].as_str()?.to_owned(),
                    row["IsMasterLanguage"] == true,
                ))
            }));
        }
        let mut ids = ids;
        ids.sort_by_key(|id| rows.get(id).copied().unwrap_or(false));
        Ok(ids)
    }
}
