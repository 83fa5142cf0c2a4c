use super::SourceKit;

/// Kayako again, rehearsed as Kayako Classic: the section `[kayako]`, the variables `KAYAKO_…`.
#[must_use]
pub fn kayako_classic() -> SourceKit {
    SourceKit {
        name: "kayako-classic",
        section: &deskferry_source_kayako::SETTINGS,
        address: "url",
        make: deskferry_source_kayako::source,
        #[cfg(feature = "rehearsal")]
        local: local::CLASSIC,
    }
}

#[cfg(feature = "rehearsal")]
mod local {
    use std::sync::Arc;

    use deskferry_rehearsal::kayako_classic::{Classic as LocalClassic, ClassicOptions};
    use deskferry_rehearsal::oracle::{KayakoClassic, OracleOptions};
    use deskferry_source_kayako::{Classic, ClassicConfig, Dates};

    use crate::cli::local::{LocalSource, Running};

    const INSTANCE: &str = "acme";
    /// They guard nothing.
    const KEY: &str = "rehearsal-key";
    const SECRET: &str = "rehearsal-secret";

    pub(super) const CLASSIC: LocalSource = LocalSource {
        start: |folder, content, serve| {
            Box::pin(async move {
                let mut options = ClassicOptions::default();
                options.folder = Some(folder);
                options.content = content;
                options.serve = serve;
                KEY.clone_into(&mut options.api_key);
                SECRET.clone_into(&mut options.secret_key);
                let desk = LocalClassic::start(options).await?;
                Ok(Running::new(desk.url(), desk.stop()))
            })
        },
        connect: |url| {
            // The local helpdesk has no limit.
            let config = ClassicConfig::builder(url, KEY, SECRET)
                .instance(INSTANCE)
                .dates(Dates::MonthFirst)
                .requests_per_minute(600_000)
                .build()?;
            Ok(Arc::new(Classic::new(config)?))
        },
        judged: |legacy_owner| {
            let mut options = OracleOptions::new(INSTANCE, legacy_owner).platform(KayakoClassic);
            // Mails have no headers here, and a ticket that was merged is gone.
            options.email_originals = false;
            options.merged = false;
            options.merged_into = false;
            options
        },
        world: |spec| spec.knowledge(),
        // What tickets hold in custom fields is kept beside their fields: it is text.
        lines: &[],
    };
}
