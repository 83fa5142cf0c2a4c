//! ASAPP's rows, as tolerant as section 7.2 of the ASAPP reference demands. Knows no network.

mod pick;
mod row;
mod value;

pub(crate) use pick::{Columns, Shape, pick};
pub(crate) use row::Row;
pub(crate) use value::{list, meant, moment, scalar};
