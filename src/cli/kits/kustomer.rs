use std::sync::Arc;

use deskferry_source_kustomer::{Kustomer, KustomerConfig};

use super::SourceKit;

/// Kustomer: the section `[kustomer]`, the variables `KUSTOMER_…`.
#[must_use]
pub fn kustomer() -> SourceKit {
    SourceKit {
        name: "kustomer",
        section: &deskferry_source_kustomer::SETTINGS,
        address: "url",
        make: |told| {
            let config = KustomerConfig::from_settings(told)?;
            Ok(Arc::new(Kustomer::new(config)?))
        },
        #[cfg(feature = "rehearsal")]
        local: local::KUSTOMER,
    }
}

#[cfg(feature = "rehearsal")]
mod local {
    use std::sync::Arc;

    use deskferry_rehearsal::kustomer::{Kustomer as LocalKustomer, KustomerOptions};
    use deskferry_rehearsal::oracle::{Kustomer as Judged, OracleOptions};
    use deskferry_source_kustomer::{Kustomer, KustomerConfig};

    use crate::cli::local::{LocalSource, Running};

    /// It guards nothing.
    const KEY: &str = "rehearsal-key";

    pub(super) const KUSTOMER: LocalSource = LocalSource {
        start: |folder, content, serve| {
            Box::pin(async move {
                let mut options = KustomerOptions::default();
                options.folder = Some(folder);
                options.content = content;
                options.serve = serve;
                KEY.clone_into(&mut options.key);
                let desk = LocalKustomer::start(options).await?;
                Ok(Running::new(desk.url(), desk.stop()))
            })
        },
        connect: |url| {
            // The local helpdesk has no limit.
            let config = KustomerConfig::builder(url, KEY)
                .requests_per_minute(600_000)
                .searches_per_minute(600_000)
                .parallel(4)
                .build()?;
            Ok(Arc::new(Kustomer::new(config)?))
        },
        judged: |legacy_owner| {
            OracleOptions::new(LocalKustomer::org_id(), legacy_owner).platform(Judged)
        },
        world: |spec| spec.with_objects().with_channels().knowledge(),
        // What a conversation's custom attributes say is kept beside its fields.
        lines: &[],
    };
}
