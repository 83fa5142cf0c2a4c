//! Reading back what was written and comparing it field by field.

use deskferry_core::error::Result;
use deskferry_core::verify::Checked;

use crate::load::Run;

pub(crate) async fn batch(_run: &Run<'_>) -> Result<Vec<Checked>> {
    Ok(Vec::new())
}
