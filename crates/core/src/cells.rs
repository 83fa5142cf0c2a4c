//! Cells of files that people open as spreadsheets.

/// What UTF-8 files of spreadsheets begin with.
pub const MARK: &[u8] = "\u{feff}".as_bytes();

/// A cell that no spreadsheet takes for a formula, on one line.
#[must_use]
pub fn safe(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let text = text.trim();
    if begins_like_a_formula(text) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// What a cell means.
#[must_use]
pub fn bare(cell: &str) -> String {
    let cell = cell.trim();
    match cell.strip_prefix('\'') {
        Some(rest) if begins_like_a_formula(rest) => rest.to_owned(),
        _ => cell.to_owned(),
    }
}

/// Marks that were put before it before do not count.
fn begins_like_a_formula(text: &str) -> bool {
    text.trim_start_matches('\'')
        // Also the wide ones, which spreadsheets of some languages read alike.
        .starts_with([
            '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
        ])
}
