use super::SourceKit;

/// Kayako: the section `[kayako]`, the variables `KAYAKO_…`. What they hold decides whether it is the cloud or Classic; the local
/// helpdesk is the cloud's.
#[must_use]
pub fn kayako() -> SourceKit {
    SourceKit {
        name: "kayako",
        section: &deskferry_source_kayako::SETTINGS,
        address: "url",
        make: deskferry_source_kayako::source,
        #[cfg(feature = "rehearsal")]
        local: local::KAYAKO,
    }
}

#[cfg(feature = "rehearsal")]
mod local {
    use std::sync::Arc;

    use deskferry_rehearsal::kayako::{Kayako as LocalKayako, KayakoOptions};
    use deskferry_rehearsal::oracle::OracleOptions;
    use deskferry_source_kayako::{Kayako, KayakoConfig};

    use crate::cli::local::{LocalSource, Running};

    const EMAIL: &str = "admin@acme.example";
    /// It guards nothing.
    const PASSWORD: &str = "rehearsal";

    pub(super) const KAYAKO: LocalSource = LocalSource {
        start: |folder, content, serve| {
            Box::pin(async move {
                let mut options = KayakoOptions::default();
                options.folder = Some(folder);
                options.content = content;
                options.serve = serve;
                EMAIL.clone_into(&mut options.email);
                PASSWORD.clone_into(&mut options.password);
                let desk = LocalKayako::start(options).await?;
                Ok(Running::new(desk.url(), desk.stop()))
            })
        },
        connect: |url| {
            // The local helpdesk has no limit: start far above the careful default.
            let config = KayakoConfig::builder(url, EMAIL, PASSWORD)
                .requests_per_minute(600_000)
                .parallel(4)
                .email_headers(true)
                .build()?;
            Ok(Arc::new(Kayako::new(config)?))
        },
        judged: |legacy_owner| {
            let mut options = OracleOptions::new("acme", legacy_owner);
            options.tolerated_keys.insert("custom.legacy_id".to_owned());
            options
        },
        world: |spec| spec,
        lines: &crate::cli::local::WORLD_LINES,
    };
}
