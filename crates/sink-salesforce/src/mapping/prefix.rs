//! A prefix for the API names of fields that a load brings to objects that others use as well.

use deskferry_core::error::{Error, ErrorKind, Result};

use super::{BATCH_MARK, Mapping, SOURCE_KEY};

/// The most characters of a prefix.
const MOST: usize = 10;

/// A mapping file's text in which every field that is made on one of the platform's own objects is called `<prefix>_<name>`; what people see
/// of it stays. The two fields by which rows are found again keep their names, and so do fields of objects of one's own. For a
/// text that nobody edited yet: the names stand in the file from then on.
///
/// # Errors
/// `Config` when the prefix is none, or a name would become too long.
pub fn prefixed(text: &str, prefix: &str) -> Result<String> {
    let is_name = prefix.starts_with(|c: char| c.is_ascii_alphabetic())
        && prefix.bytes().all(|b| b.is_ascii_alphanumeric())
        && prefix.len() <= MOST;
    if !is_name {
        let said = format!("`{prefix}` is no prefix for the names of fields");
        return Err(Error::new(ErrorKind::Config, "write the mapping", said)
            .advise("Take up to ten letters and digits, a letter first"));
    }
    let mut out = String::with_capacity(text.len());
    let mut shared = false;
    for line in text.lines() {
        if let Some(table) = line.trim().strip_prefix('[') {
            let object = table.trim_end_matches(']').strip_suffix(".fields");
            shared = object.is_some_and(|object| !object.ends_with("__c"));
        }
        // Lines that are offered as comments are to be taken over as they are.
        let (mark, said) = match line.strip_prefix("# ") {
            Some(said) => ("# ", said),
            None => ("", line),
        };
        let named = said
            .split_once(" = {")
            .filter(|(name, rest)| shared && is_made(name, rest));
        match named {
            Some((name, rest)) => {
                out.push_str(&format!("{mark}{prefix}_{name} = {{"));
                out.push_str(&labelled(name, rest));
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    Mapping::parse(&out)?;
    Ok(out)
}

/// Whether a line makes a field whose name is free to choose.
fn is_made(name: &str, rest: &str) -> bool {
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name
        && name.ends_with("__c")
        && rest.contains("create = {")
        && ![SOURCE_KEY, BATCH_MARK].contains(&name)
}

/// The rest of a line with the label that its field would have had by its name.
fn labelled(name: &str, rest: &str) -> String {
    let (head, create) = rest.split_once("create = {").unwrap_or((rest, ""));
    if create.contains("label = ") {
        return rest.to_owned();
    }
    let label = name.trim_end_matches("__c").replace('_', " ");
    format!("{head}create = {{ label = \"{label}\",{create}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_on_shared_objects_get_the_prefix_and_keep_their_labels() {
        let text = Mapping::default_text().replacen(
            "chat = \"case-comment\"",
            "chat = \"conversation-message\"",
            1,
        );
        let plain = Mapping::parse(&text).unwrap().required_fields();
        let mapping = Mapping::parse(&prefixed(&text, "Dsk").unwrap()).unwrap();
        let fields = mapping.required_fields();
        assert_eq!(fields.len(), plain.len());
        let find = |name: &str| fields.iter().find(|f| f.name == name);
        let tags = find("Dsk_Source_Tags__c").unwrap();
        assert_eq!(tags.label, "Source Tags");
        assert_eq!(find("Dsk_CSAT_Score__c").unwrap().label, "CSAT Score");
        for kept in ["Source_Key__c", "Migration_Batch__c", "Case__c", "Body__c"] {
            assert!(find(kept).is_some(), "{kept}");
        }
        assert!(fields.iter().all(|f| f.name.len() <= 43));
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for prefix in ["", "1a", "a_b", "a b", "abcdefghijk"] {
            let said = prefixed(Mapping::default_text(), prefix).unwrap_err();
            assert_eq!(said.kind(), ErrorKind::Config, "{prefix}");
        }
    }
}
