//! Which role each address needs (Kustomer reference, section 1.2). Any one of them does; a broader one covers it.

use axum::http::Method;

/// The permission and the legacy role for the data at a path.
fn needed(pieces: &[&str], method: &Method) -> Option<(&'static str, &'static str)> {
    Some(match pieces {
        ["orgs" | "auth", ..] => return None,
        ["customers", "search"] | ["customers", "archive", "search"] if *method == Method::POST => {
            ("org.permission.search.create", "org.user.search.read")
        }
        [.., "attachments"] | [_, _, "attachments", _] => {
            ("org.permission.attachment.read", "org.user.attachment.read")
        }
        [.., "notes"] | ["notes", ..] => ("org.permission.note.read", "org.user.note.read"),
        [.., "messages"] | ["messages", ..] | ["postmark", ..] => {
            ("org.permission.message.read", "org.user.message.read")
        }
        ["conversations", ..] => (
            "org.permission.conversation.read",
            "org.user.conversation.read",
        ),
        ["customers", _, "merges"] => (
            "org.permission.customer_merge.read",
            "org.user.customer.read",
        ),
        ["customers", ..] => ("org.permission.customer.read", "org.user.customer.read"),
        ["companies", ..] => ("org.permission.company.read", "org.user.company.read"),
        ["users", ..] => ("org.permission.user.read", "org.user.read"),
        ["teams", ..] => ("org.permission.team.read", "org.user.read"),
        ["tags", ..] => ("org.permission.tag.read", "org.user.read"),
        ["sub-statuses", ..] => (
            "org.permission.sub_status.read",
            "org.user.conversation.read",
        ),
        ["kb" | "media", ..] => ("org.permission.kb.read", "org.user.kb.read"),
        ["klasses", ..] => ("org.permission.klass.read", "org.user.klass.read"),
        ["routing", ..] => ("org.permission.queue.read", "org.user.routing.read"),
        ["slas", ..] => ("org.permission.sla.read", "org.user.sla.read"),
        ["schedules", ..] => ("org.permission.schedule.read", "org.user.schedule.read"),
        ["workflows", ..] => ("org.permission.workflow.read", "org.admin.workflow.read"),
        ["brands", ..] => ("org.permission.brand.read", "org.user.brand.read"),
        ["satisfaction", ..] => (
            "org.permission.satisfaction.read",
            "org.user.satisfaction.read",
        ),
        ["outboundAccounts"] => ("org.permission.apps.read", "org.user.apps.read"),
        ["metadata", ..] => ("org.permission.metadata.read", "org.user.metadata.read"),
        _ => return None,
    })
}

/// Whether these roles open the path.
pub(super) fn allowed(roles: &[String], pieces: &[&str], method: &Method) -> bool {
    let Some((permission, legacy)) = needed(pieces, method) else {
        return true;
    };
    roles.iter().any(|role| {
        role == permission
            || role == legacy
            || matches!(role.as_str(), "org.user" | "org.admin")
            || (role == "org" || role == "org.permission") && permission.starts_with(role.as_str())
    })
}
