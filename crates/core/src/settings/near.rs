//! Which known name somebody may have meant.

/// The known name that is nearest to what was written, if it is near.
pub(super) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase();
    let near = (written.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|name| (distance(&written, name), name))
        .filter(|(far, _)| *far <= near)
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = ["url", "email", "password_file", "rate", "parallel"];
        for (written, expected) in [
            ("emial", Some("email")),
            ("Parallel", Some("parallel")),
            ("passwort_file", Some("password_file")),
            ("rates", Some("rate")),
            ("colour", None),
        ] {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
    }
}
