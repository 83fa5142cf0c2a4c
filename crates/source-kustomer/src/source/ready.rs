//! What is asked before a read: which org this is, and what the key may see (Kustomer reference, section 1.2).

use deskferry_core::source::Readiness;
use deskferry_core::{Context, ErrorKind, Result};

use super::Kustomer;
use super::key::Hints;
use crate::config::Rate;
use crate::wire::Row;

/// What is read, with the role that opens it, by its newer and its older name.
const ROLES: [(&str, &str, &str); 22] = [
    (
        "customers",
        "org.permission.customer.read",
        "org.user.customer.read",
    ),
    (
        "whom customers were merged into",
        "org.permission.customer_merge.read",
        "org.user.customer.read",
    ),
    (
        "the help centre",
        "org.permission.kb.read",
        "org.user.kb.read",
    ),
    (
        "companies",
        "org.permission.company.read",
        "org.user.company.read",
    ),
    (
        "conversations",
        "org.permission.conversation.read",
        "org.user.conversation.read",
    ),
    (
        "search",
        "org.permission.search.create",
        "org.user.search.read",
    ),
    (
        "messages",
        "org.permission.message.read",
        "org.user.message.read",
    ),
    ("notes", "org.permission.note.read", "org.user.note.read"),
    (
        "files",
        "org.permission.attachment.read",
        "org.user.attachment.read",
    ),
    ("users", "org.permission.user.read", "org.user.read"),
    ("teams", "org.permission.team.read", "org.user.read"),
    ("tags", "org.permission.tag.read", "org.user.read"),
    (
        "sub-statuses",
        "org.permission.sub_status.read",
        "org.user.conversation.read",
    ),
    (
        "custom objects",
        "org.permission.klass.read",
        "org.user.klass.read",
    ),
    (
        "custom attributes",
        "org.permission.metadata.read",
        "org.user.metadata.read",
    ),
    (
        "queues and their rules",
        "org.permission.queue.read",
        "org.user.routing.read",
    ),
    ("SLAs", "org.permission.sla.read", "org.user.sla.read"),
    (
        "business hours",
        "org.permission.schedule.read",
        "org.user.schedule.read",
    ),
    (
        "workflows",
        "org.permission.workflow.read",
        "org.admin.workflow.read",
    ),
    ("brands", "org.permission.brand.read", "org.user.brand.read"),
    (
        "forms of satisfaction",
        "org.permission.satisfaction.read",
        "org.user.satisfaction.read",
    ),
    (
        "accounts of channels",
        "org.permission.apps.read",
        "org.user.apps.read",
    ),
];

impl Kustomer {
    pub(super) async fn ready(&self, cx: &Context) -> Result<Readiness> {
        let hints = Hints::of(self.config.key().expose());
        let (tenant, told) = self.org(cx).await.map_err(|error| {
            let elsewhere = hints.elsewhere(self.config.url(), None);
            match elsewhere.filter(|_| error.kind() == ErrorKind::Credentials) {
                Some(elsewhere) => error.advise(elsewhere),
                None => error,
            }
        })?;
        let (account, mut warnings) = match self.client.token(cx).await {
            Ok(raw) => match Row::read(&raw) {
                Ok(row) => {
                    let roles: Vec<&str> = row.texts("roles").collect();
                    let name = row.text("name").unwrap_or("an API key");
                    (format!("API key `{name}`"), missing(&roles))
                }
                Err(_) => unknown(),
            },
            // Whether a key may ask this is not documented.
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
                unknown()
            }
            Err(error) => return Err(error),
        };
        warnings.extend(hints.warnings(cx.now()));
        warnings.extend(hints.elsewhere(self.config.url(), told.region.as_deref()));
        let mut readiness = Readiness::new(tenant, account);
        readiness.warnings = warnings;
        readiness.product = Some("Kustomer, API version 1".to_owned());
        readiness.limits.extend(told.limit.map(plan));
        readiness.limits.push(match self.config.rate() {
            Rate::Told => format!(
                "what its answers allow, of which {:.0} % is left to others",
                self.config.keep_free() * 100.0
            ),
            Rate::AtMost(requests) => {
                format!("at most {requests} requests a minute, as configured")
            }
        });
        readiness.limits.push(format!(
            "at most {} searches a minute; an API key has 100",
            self.config.search_rate()
        ));
        Ok(readiness)
    }
}

/// What a limit says of the org's plan (Kustomer reference, section 1.5).
fn plan(limit: u32) -> String {
    let plan = match limit {
        2_000 => " (the plan Ultimate)",
        1_000 => " (the plan Enterprise)",
        500 => " (the older plan Business)",
        300 => " (the older plan Professional)",
        _ => "",
    };
    format!(
        "the org allows {limit} requests a minute{plan}, to all keys, apps and programs together"
    )
}

fn unknown() -> (String, Vec<String>) {
    let warning = "the key's roles could not be read: what it may not see shows up while reading, part by part";
    ("an API key".to_owned(), vec![warning.to_owned()])
}

/// What the key may not read. A role covers those whose names begin with its own.
fn missing(roles: &[&str]) -> Vec<String> {
    let has = |wanted: &str| {
        roles.iter().any(|role| {
            *role == wanted
                || wanted
                    .strip_prefix(*role)
                    .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let all = roles.contains(&"org.admin") || roles.contains(&"org.user");
    ROLES
        .iter()
        .filter(|(_, new, old)| !all && !has(new) && !has(old))
        .map(|(what, new, old)| {
            format!("the key may not read {what}: it needs the role {new} (or {old}); roles of a key cannot be changed, so make a new one")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_roles_are_named_by_both_names_and_broader_ones_cover_them() {
        for covers in ["org.user", "org.admin", "org"] {
            assert!(missing(&[covers]).is_empty(), "{covers}");
        }
        assert!(missing(&["org.permission"]).is_empty());
        let found = missing(&["org.permission.customer.read", "org.user.read"]);
        assert!(!found.iter().any(|line| line.contains("read customers")));
        assert!(!found.iter().any(|line| line.contains("read teams")));
        let notes = found
            .iter()
            .find(|line| line.contains("read notes"))
            .unwrap();
        assert!(notes.contains("org.permission.note.read") && notes.contains("org.user.note.read"));
        assert_eq!(
            missing(&["org.use"]).len(),
            ROLES.len(),
            "no role by half a name"
        );
    }
}
