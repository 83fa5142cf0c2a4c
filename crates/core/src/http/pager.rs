use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};

/// The most pages without a row one after the other before the list counts as endless.
const MAX_EMPTY: u32 = 1000;

/// Guards a paged list against going round in circles, in constant memory.
///
/// Show it each page: an error of kind `Protocol` says that a page repeats, that the cursor stands still or comes
/// back, or that a thousand pages in a row were empty. One guard per list; a list that is read again gets a new one.
///
/// ```
/// use deskferry_core::http::Pager;
///
/// let mut pager = Pager::new("list cases");
/// assert!(pager.accept(["1", "2"].into_iter(), Some("page-2")).is_ok());
/// assert!(pager.accept(["3"].into_iter(), Some("page-2")).is_err());
/// ```
#[derive(Debug)]
pub struct Pager {
    operation: Cow<'static, str>,
    pages: Circle,
    cursors: Circle,
    empty: u32,
}

impl Pager {
    /// A guard that has seen nothing; `operation` is what its errors say was being done.
    pub fn new(operation: impl Into<Cow<'static, str>>) -> Self {
        Self {
            operation: operation.into(),
            pages: Circle::default(),
            cursors: Circle::default(),
            empty: 0,
        }
    }

    /// Takes note of a page: the ids of its rows in order, and where the next page is, if there is one.
    ///
    /// # Errors
    /// `Protocol`, when the list does not move on.
    pub fn accept<'a>(
        &mut self,
        ids: impl Iterator<Item = &'a str>,
        next: Option<&str>,
    ) -> Result<()> {
        let (rows, page) = fingerprint(ids);
        if rows == 0 {
            self.empty += 1;
        } else {
            self.empty = 0;
            if self.pages.returns(page) {
                return Err(self.stuck(format!("a page of {rows} rows came twice"), next));
            }
        }
        let Some(cursor) = next else { return Ok(()) };
        if self.cursors.returns(fingerprint(std::iter::once(cursor)).1) {
            return Err(self.stuck("the next page's address came twice".into(), next));
        }
        if self.empty >= MAX_EMPTY {
            return Err(self.stuck(format!("{MAX_EMPTY} pages in a row were empty"), next));
        }
        Ok(())
    }

    fn stuck(&self, message: String, next: Option<&str>) -> Error {
        let error = Error::new(ErrorKind::Protocol, self.operation.clone(), message).advise(
            "Reading on would never end or would miss rows; run `resume` to read this part again",
        );
        match next {
            Some(next) => error.with("next", super::redact::raw_url(next)),
            None => error,
        }
    }
}

fn fingerprint<'a>(texts: impl Iterator<Item = &'a str>) -> (u64, blake3::Hash) {
    let mut hasher = blake3::Hasher::new();
    let mut count = 0;
    for text in texts {
        hasher
            .update(&(text.len() as u64).to_le_bytes())
            .update(text.as_bytes());
        count += 1;
    }
    (count, hasher.finalize())
}

/// Notices that a sequence has entered a circle: compares with a mark that moves at each power of two, so that a circle of
/// any length is found after at most three rounds.
#[derive(Debug, Default)]
struct Circle {
    mark: Option<blake3::Hash>,
    last: Option<blake3::Hash>,
    since: u64,
    stride: u64,
}

impl Circle {
    fn returns(&mut self, item: blake3::Hash) -> bool {
        let again = self.last == Some(item) || self.mark == Some(item);
        self.last = Some(item);
        self.since += 1;
        if self.since >= self.stride {
            self.mark = Some(item);
            self.since = 0;
            self.stride = (self.stride * 2).max(1);
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(pager: &mut Pager, ids: &[&str], next: Option<&str>) -> Result<()> {
        pager.accept(ids.iter().copied(), next)
    }

    #[test]
    fn a_list_that_moves_on_is_accepted_to_its_end() {
        let mut pager = Pager::new("list");
        for page in 0..5000 {
            let (id, next) = (page.to_string(), format!("after={page}"));
            pager
                .accept([id.as_str()].into_iter(), Some(&next))
                .unwrap();
        }
        accept(&mut pager, &[], None).unwrap();
    }

    #[test]
    fn a_page_that_repeats_is_an_error_even_if_its_cursor_moves() {
        let mut pager = Pager::new("list cases");
        accept(&mut pager, &["1", "2"], Some("a")).unwrap();
        let error = accept(&mut pager, &["1", "2"], Some("b")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(
            error
                .to_string()
                .starts_with("list cases: a page of 2 rows came twice"),
            "{error}"
        );
    }

    #[test]
    fn a_cursor_that_stands_still_is_an_error_even_if_its_pages_differ() {
        let mut pager = Pager::new("list");
        accept(
            &mut pager,
            &["1"],
            Some("https://h.example.org/x?token=s3cret"),
        )
        .unwrap();
        let error = accept(
            &mut pager,
            &["2"],
            Some("https://h.example.org/x?token=s3cret"),
        )
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn a_circle_of_any_length_is_found_within_three_rounds() {
        for length in [2_usize, 3, 5, 17, 100] {
            let mut pager = Pager::new("list");
            let found = (0..3 * length + 3).position(|page| {
                let (id, next) = ((page % length).to_string(), (page % length).to_string());
                pager
                    .accept([id.as_str()].into_iter(), Some(&next))
                    .is_err()
            });
            assert!(found.is_some(), "circle of {length}");
        }
    }

    #[test]
    fn ids_are_not_run_together() {
        let mut pager = Pager::new("list");
        accept(&mut pager, &["1", "23"], Some("a")).unwrap();
        accept(&mut pager, &["12", "3"], Some("b")).unwrap();
    }

    #[test]
    fn empty_pages_are_accepted_but_not_for_ever() {
        let mut pager = Pager::new("list");
        let refused = (0..2 * MAX_EMPTY)
            .position(|page| accept(&mut pager, &[], Some(&page.to_string())).is_err());
        assert_eq!(refused, Some(MAX_EMPTY as usize - 1));
    }
}
