//! Files: one ContentVersion per call, its bytes streamed (Salesforce APIs, section 8).

use std::sync::Arc;

use bytes::Bytes;
use deskferry_core::blob::{BlobInfo, Blobs};
use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::http::{Part, PartBody, Request};
use serde::Deserialize;

use crate::client::collections::{CallAnswer, Judged, RowAnswer, judged};
use crate::client::{Api, needed, writing};
use crate::mapping::build::Fields;

/// The bytes of a file to upload.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Staged.
    Staged(BlobInfo),
    /// Made here.
    Made { bytes: Bytes, md5: String },
}

impl Content {
    pub(crate) fn md5(&self) -> &str {
        match self {
            Self::Staged(blob) => &blob.md5,
            Self::Made { md5, .. } => md5,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Staged(blob) => blob.size,
            Self::Made { bytes, .. } => bytes.len() as u64,
        }
    }

    fn body(&self, blobs: &Arc<dyn Blobs>) -> PartBody {
        match self {
            Self::Made { bytes, .. } => PartBody::Bytes(bytes.clone()),
            Self::Staged(blob) => {
                let (blobs, blob) = (Arc::clone(blobs), blob.clone());
                PartBody::stream(blob.size, move || {
                    let (blobs, blob) = (Arc::clone(&blobs), blob.clone());
                    async move { blobs.open(&blob).await }
                })
            }
        }
    }
}

#[derive(Deserialize)]
struct Made {
    id: String,
    success: bool,
}

impl Api {
    /// Uploads one file. The real name stands in the fields; the part's own is plain ASCII.
    pub(crate) async fn upload(
        &self,
        cx: &Context,
        fields: &Fields,
        content: &Content,
        blobs: &Arc<dyn Blobs>,
    ) -> Result<CallAnswer> {
        const DOING: &str = "upload a file";
        let entity = serde_json::to_vec(fields).unwrap_or_default();
        let parts = vec![
            Part::text("entity_content", "application/json", entity),
            Part::file(
                "VersionData",
                "content",
                "application/octet-stream",
                content.body(blobs),
            ),
        ];
        let request = Request::post("files", self.path("sobjects/ContentVersion"))
            .operation(DOING)
            .multipart(parts)
            .timeout(std::time::Duration::from_secs(3_600));
        let sent = self.send(cx, writing(request)).await;
        Ok(match judged(sent, DOING.to_owned())? {
            Judged::Success(response) => match serde_json::from_slice::<Made>(&response.body) {
                Ok(made) if made.success => {
                    needed(cx, "files", 1.0);
                    CallAnswer::Rows(vec![RowAnswer::Stands(made.id)])
                }
                _ => CallAnswer::Lost,
            },
            Judged::Lost => CallAnswer::Lost,
            Judged::Refused(_, refusal) => CallAnswer::Rows(vec![RowAnswer::Refused(refusal)]),
        })
    }
}
