//! Names and addresses of people as the platform takes them.

use super::text::collapse;

/// First and last name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PersonName {
    pub(crate) first: String,
    pub(crate) last: String,
}

/// A full name in two. Exactly one comma parts the last name from the first; else the last token is the last name.
/// `None` when there is no name.
pub(crate) fn split_name(full: &str) -> Option<PersonName> {
    let mut full = collapse(full);
    if full.matches(',').count() == 1
        && let Some((last, first)) = full.split_once(',')
    {
        let (last, first) = (last.trim(), first.trim());
        if !last.is_empty() && !first.is_empty() {
            return Some(PersonName {
                first: first.to_owned(),
                last: last.to_owned(),
            });
        }
        full = format!("{last}{first}");
    }
    match full.rsplit_once(' ') {
        Some((first, last)) => Some(PersonName {
            first: first.to_owned(),
            last: last.to_owned(),
        }),
        None if full.is_empty() => None,
        None => Some(PersonName {
            first: String::new(),
            last: full,
        }),
    }
}

/// The name of somebody who has none: the local part of the address, else the phone, else `Unknown <source id>`.
pub(crate) fn name_without_a_name(
    email: Option<&str>,
    phone: Option<&str>,
    id: &str,
) -> PersonName {
    let local = email
        .map(|e| e.rsplit_once('@').map_or(e, |(local, _)| local))
        .map(collapse)
        .filter(|l| !l.is_empty());
    let last = local
        .or_else(|| phone.map(collapse).filter(|p| !p.is_empty()))
        .unwrap_or_else(|| format!("Unknown {id}"));
    PersonName {
        first: String::new(),
        last,
    }
}

/// Whether the platform takes an address in a field of type email: one `@`, at most `limit` characters, ASCII, no blank,
/// no leading dot, a dot in the domain (Salesforce objects, section 2.3).
pub(crate) fn is_email(address: &str, limit: usize) -> bool {
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    let local_char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*/=?^_+-`{|}~.".contains(c);
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    address.len() <= limit
        && !local.is_empty()
        && !local.starts_with('.')
        && local.chars().all(local_char)
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// An address in lower case, if the platform takes it.
pub(crate) fn typed_email(address: &str, limit: usize) -> Option<String> {
    let address = address.trim();
    is_email(address, limit).then(|| address.to_ascii_lowercase())
}

/// An address as it is compared: trimmed, in lower case.
pub(crate) fn same_address(address: &str) -> String {
    address.trim().to_lowercase()
}

/// The host of an address on the web: without scheme, user, `www.`, port and path, in lower case.
pub(crate) fn host(website: &str) -> Option<String> {
    let rest = website.trim();
    let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next()?;
    let rest = rest.rsplit('@').next()?;
    let host = rest.split(':').next()?.trim_end_matches('.').to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    host.contains('.').then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_in_two() {
        for (full, first, last) in [
            ("Ann Lee", "Ann", "Lee"),
            ("  Ann \t Mary   Lee ", "Ann Mary", "Lee"),
            ("Lee, Ann", "Ann", "Lee"),
            ("Lee, Ann, Dr", "Lee, Ann,", "Dr"),
            ("Lee,", "", "Lee"),
            ("Cher", "", "Cher"),
            ("王小明", "", "王小明"),
        ] {
            let name = split_name(full).unwrap();
            assert_eq!(
                (name.first.as_str(), name.last.as_str()),
                (first, last),
                "{full}"
            );
        }
        for nobody in ["", "  ", ",", "\u{0}"] {
            assert_eq!(split_name(nobody), None);
        }
    }

    #[test]
    fn who_has_no_name_is_called_by_what_is_known() {
        for (email, phone, last) in [
            (Some("ann@example.org"), Some("+1"), "ann"),
            (Some("@example.org"), Some("+1 2"), "+1 2"),
            (None, Some("+1"), "+1"),
            (None, None, "Unknown 7"),
        ] {
            assert_eq!(name_without_a_name(email, phone, "7").last, last);
        }
    }

    #[test]
    fn addresses_are_checked_before_they_are_sent() {
        let long = format!("{}@example.org", "a".repeat(80));
        for (given, typed) in [
            ("Ann@Example.ORG", Some("ann@example.org")),
            (" ann@example.org ", Some("ann@example.org")),
            ("a..b@example.org", Some("a..b@example.org")),
            (".ann@example.org", None),
            ("ann@example", None),
            ("ann@@example.org", None),
            ("ann example.org", None),
            ("an n@example.org", None),
            ("änn@example.org", None),
            ("@example.org", None),
            ("ann@.org", None),
            (long.as_str(), None),
        ] {
            assert_eq!(typed_email(given, 80).as_deref(), typed, "{given}");
        }
    }

    #[test]
    fn websites_are_compared_by_host() {
        for (website, expected) in [
            ("https://www.Example.org/about", Some("example.org")),
            ("example.org", Some("example.org")),
            (
                "http://user@shop.example.org:8080?x",
                Some("shop.example.org"),
            ),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(host(website).as_deref(), expected, "{website}");
        }
    }
}
