//! CSV as Bulk API 2.0 reads and writes it (Salesforce transport reference, section 9.3).
//!
//! A reader of its own, because it must refuse what a tolerant one takes: a byte order mark, a lone carriage return,
//! rows that end otherwise than the job said. It also tells where each row lies, so that results are made from the
//! upload and nothing is kept twice.

use std::io::BufRead;

use serde::{Deserialize, Serialize};

/// The most characters of one row, of one field, and of the header.
const ROW_CHARS: usize = 400_000;
const FIELD_CHARS: usize = 131_072;
const HEADER_CHARS: usize = 32_000;
/// A row that grows beyond this has lost a quote somewhere.
const ROW_BYTES: usize = 8 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Delimiter {
    Backquote,
    Caret,
    #[default]
    Comma,
    Pipe,
    Semicolon,
    Tab,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum LineEnding {
    #[default]
    Lf,
    Crlf,
}

/// How a job's CSV is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dialect {
    pub(crate) delimiter: Delimiter,
    pub(crate) ending: LineEnding,
}

impl Delimiter {
    fn character(self) -> char {
        match self {
            Self::Backquote => '`',
            Self::Caret => '^',
            Self::Comma => ',',
            Self::Pipe => '|',
            Self::Semicolon => ';',
            Self::Tab => '\t',
        }
    }
}

impl LineEnding {
    fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::Crlf => "\r\n",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Lf => "LF",
            Self::Crlf => "CRLF",
        }
    }
}

impl Dialect {
    /// One row, each value in quotes.
    pub(crate) fn write<'v>(self, values: impl IntoIterator<Item = &'v str>, into: &mut String) {
        for (n, value) in values.into_iter().enumerate() {
            if n > 0 {
                into.push(self.delimiter.character());
            }
            into.push('"');
            into.push_str(&value.replace('"', "\"\""));
            into.push('"');
        }
        into.push_str(self.ending.text());
    }

    /// The values of one row without its end.
    pub(crate) fn split(self, row: &str) -> Result<Vec<String>, String> {
        let delimiter = self.delimiter.character();
        let (mut values, mut rest) = (Vec::new(), row);
        loop {
            let (value, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted_value(quoted)?,
                None => {
                    let end = rest.find(delimiter).unwrap_or(rest.len());
                    let (value, after) = rest.split_at(end);
                    if value.contains('"') {
                        return Err("InvalidBatch : a quote inside a value without quotes".into());
                    }
                    (value.to_owned(), after)
                }
            };
            values.push(value);
            match after.strip_prefix(delimiter) {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(values),
                None => {
                    return Err("InvalidBatch : a value goes on behind its closing quote".into());
                }
            }
        }
    }
}

/// The value up to its closing quote, and what follows.
fn quoted_value(text: &str) -> Result<(String, &str), String> {
    let (mut value, mut rest) = (String::new(), text);
    loop {
        let end = rest
            .find('"')
            .ok_or("InvalidBatch : a quote is not closed")?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None => return Ok((value, rest)),
        }
    }
}

/// One row: its values, and where it lies in the file.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) values: Vec<String>,
    pub(crate) start: u64,
    /// Where the next one begins.
    pub(crate) end: u64,
}

/// Rows of an upload, in order. Blank lines are none.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    from: R,
    dialect: Dialect,
    at: u64,
}

impl<R: BufRead> Rows<R> {
    /// `at`: how many bytes of the file lie before `from`.
    pub(crate) fn new(from: R, dialect: Dialect, at: u64) -> Self {
        Self { from, dialect, at }
    }

    /// The header: the first row, a byte order mark not taken away.
    pub(crate) fn header(&mut self) -> Result<Row, String> {
        let row = self
            .next_row()?
            .ok_or("InvalidBatch : the upload has no header")?;
        if row
            .values
            .iter()
            .map(|name| name.chars().count())
            .sum::<usize>()
            > HEADER_CHARS
        {
            return Err(format!(
                "InvalidBatch : the header is longer than {HEADER_CHARS} characters"
            ));
        }
        Ok(row)
    }

    pub(crate) fn next_row(&mut self) -> Result<Option<Row>, String> {
        loop {
            let start = self.at;
            let bytes = self.whole_row()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let text = String::from_utf8(bytes)
                .map_err(|_| "InvalidBatch : the upload is not UTF-8".to_owned())?;
            let row = self.without_ending(&text)?;
            if row.is_empty() {
                continue;
            }
            let values = self.dialect.split(row)?;
            // A text has no more characters than bytes.
            let longest = |values: &[String]| values.iter().map(|v| v.chars().count()).max();
            let too_long = row.len() > FIELD_CHARS
                && (longest(&values).unwrap_or(0) > FIELD_CHARS || row.chars().count() > ROW_CHARS);
            if too_long {
                return Err(format!(
                    "InvalidBatch : a value is longer than {FIELD_CHARS} characters, or a record longer than {ROW_CHARS}"
                ));
            }
            return Ok(Some(Row {
                values,
                start,
                end: self.at,
            }));
        }
    }

    /// The bytes up to the first line end that stands outside of quotes.
    fn whole_row(&mut self) -> Result<Vec<u8>, String> {
        let (mut bytes, mut quotes) = (Vec::new(), 0_usize);
        loop {
            let before = bytes.len();
            let read = self
                .from
                .read_until(b'\n', &mut bytes)
                .map_err(|e| format!("the local org cannot read the upload: {e}"))?;
            self.at += read as u64;
            quotes += bytes[before..].iter().filter(|b| **b == b'"').count();
            if read == 0 || quotes.is_multiple_of(2) {
                return Ok(bytes);
            }
            if bytes.len() > ROW_BYTES {
                return Err("InvalidBatch : a quote is not closed".into());
            }
        }
    }

    fn without_ending<'t>(&self, text: &'t str) -> Result<&'t str, String> {
        let wrong = || {
            format!(
                "LineEnding is invalid on user data. Current LineEnding setting is {}",
                self.dialect.ending.name()
            )
        };
        let lone = |(at, _): (usize, &str)| !text[at + 1..].starts_with('\n');
        if text.match_indices('\r').any(lone) {
            return Err(wrong());
        }
        let Some(row) = text.strip_suffix('\n') else {
            return Ok(text);
        };
        match (self.dialect.ending, row.strip_suffix('\r')) {
            (LineEnding::Lf, None) => Ok(row),
            (LineEnding::Crlf, Some(row)) => Ok(row),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, dialect: Dialect) -> Result<Vec<Vec<String>>, String> {
        let mut rows = Rows::new(text.as_bytes(), dialect, 0);
        let mut read = Vec::new();
        while let Some(row) = rows.next_row()? {
            read.push(row.values);
        }
        Ok(read)
    }

    fn dialect(delimiter: Delimiter, ending: LineEnding) -> Dialect {
        Dialect { delimiter, ending }
    }

    #[test]
    fn what_is_written_in_any_dialect_is_read_back() {
        let values = [
            "a",
            "",
            "b,c;d|e^f`g\th",
            "say \"no\"",
            "two\nlines",
            "a\r\nb",
            "žlutý 😀",
            " x ",
        ];
        for delimiter in [
            Delimiter::Backquote,
            Delimiter::Caret,
            Delimiter::Comma,
            Delimiter::Pipe,
            Delimiter::Semicolon,
            Delimiter::Tab,
        ] {
            for ending in [LineEnding::Lf, LineEnding::Crlf] {
                let dialect = dialect(delimiter, ending);
                let mut text = String::new();
                dialect.write(values, &mut text);
                dialect.write(["1"; 8], &mut text);
                assert_eq!(
                    read(&text, dialect).unwrap(),
                    vec![values.to_vec(), vec!["1"; 8]]
                );
                let without_end = text.strip_suffix(ending.text()).unwrap();
                assert_eq!(read(without_end, dialect).unwrap().len(), 2, "{dialect:?}");
            }
        }
    }

    #[test]
    fn what_the_platform_refuses_is_refused() {
        let lf = dialect(Delimiter::Comma, LineEnding::Lf);
        let crlf = dialect(Delimiter::Comma, LineEnding::Crlf);
        let long = format!("a\n{}\n", "x".repeat(131_073));
        for (text, dialect, why) in [
            ("a,b\r\n1,2\r\n", lf, "Current LineEnding setting is LF"),
            ("a,b\n1,2\n", crlf, "Current LineEnding setting is CRLF"),
            ("a\n\"x\ry\"\n", lf, "LineEnding is invalid"),
            ("a\n\"x\ry\"\r\n", crlf, "LineEnding is invalid"),
            ("a\n\"x\n", lf, "not closed"),
            ("a\n\"x\" ,b\n", lf, "behind its closing quote"),
            ("a\nx\"y\"\n", lf, "without quotes"),
            (&long, lf, "longer than 131072"),
        ] {
            let refused = read(text, dialect).unwrap_err();
            assert!(refused.contains(why), "{text:.20}: {refused}");
        }
    }

    #[test]
    fn a_row_knows_where_it_lies_and_a_byte_order_mark_is_part_of_the_first_name() {
        let text = "\u{feff}a,b\n\n\"1\n\",2\n3,4";
        let mut rows = Rows::new(text.as_bytes(), Dialect::default(), 0);
        assert_eq!(rows.header().unwrap().values, ["\u{feff}a", "b"]);
        let mut shown = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            let (start, end) = (row.start as usize, row.end as usize);
            shown.push(&text[start..end]);
        }
        assert_eq!(shown, ["\"1\n\",2\n", "3,4"]);
    }
}
