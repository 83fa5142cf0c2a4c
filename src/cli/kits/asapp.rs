use std::sync::Arc;

use deskferry_source_asapp::{Asapp, AsappConfig};

use super::SourceKit;

/// ASAPP: the section `[asapp]`, the variables `ASAPP_…`.
#[must_use]
pub fn asapp() -> SourceKit {
    SourceKit {
        name: "asapp",
        section: &deskferry_source_asapp::SETTINGS,
        address: "company",
        make: |told| {
            let config = AsappConfig::from_settings(told)?;
            Ok(Arc::new(Asapp::new(config)?))
        },
        #[cfg(feature = "rehearsal")]
        local: local::ASAPP,
    }
}

#[cfg(feature = "rehearsal")]
mod local {
    use std::io;
    use std::path::Path;
    use std::sync::Arc;

    use deskferry_rehearsal::asapp::{AsappOptions, Exports, write};
    use deskferry_rehearsal::oracle::{Asapp as OfAsapp, OracleOptions};
    use deskferry_source_asapp::{Asapp, AsappConfig};

    use crate::cli::local::{LocalSource, Running};

    const COMPANY: &str = "acme";

    pub(super) const ASAPP: LocalSource = LocalSource {
        // Nobody answers: ASAPP delivers files, and the address is their folder.
        start: |folder, content, _| {
            Box::pin(async move {
                let mut options = AsappOptions::default();
                COMPANY.clone_into(&mut options.company);
                let at = folder.clone();
                let deliver = move || write(&at, &content.world()?, &options).map(drop);
                tokio::task::spawn_blocking(deliver)
                    .await
                    .map_err(io::Error::other)??;
                Ok(Running::new(
                    folder.to_string_lossy(),
                    std::future::ready(()),
                ))
            })
        },
        connect: |folder| {
            let folder = Path::new(folder);
            let exports = Exports::at(folder);
            let config = AsappConfig::builder(COMPANY, exports.tree)
                .customers(exports.customers)
                .agents(exports.agents)
                .recordings(exports.recordings)
                .params(Some("customer_name"), None, None, None)
                // The world's people without a company are just that.
                .placeholder_accounts(false)
                .work(folder.join("work"))
                .build()?;
            Ok(Arc::new(Asapp::new(config)?))
        },
        judged: |legacy_owner| OracleOptions::new(COMPANY, legacy_owner).platform(OfAsapp),
        world: |spec| spec,
        lines: &[],
    };
}
