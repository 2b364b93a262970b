//! The parameters that lists share.

use common::{Problem, limits};
use db_api::types::Paging;
use serde::Deserialize;
use utoipa::IntoParams;

/// `?cursor=&limit=`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Where the page before ended, as it said in `nextCursor`.
    pub cursor: Option<String>,
    /// Items of the page: 1 to 200, 50 unless given.
    pub limit: Option<u32>,
}

impl PageQuery {
    /// # Errors
    /// `invalid-request` for a limit out of range.
    pub fn paging(self) -> Result<Paging, Problem> {
        Ok(Paging {
            limit: within(self.limit, limits::PAGE_ITEMS, limits::PAGE_ITEMS_MAX)?,
            cursor: self.cursor,
        })
    }
}

/// # Errors
/// `invalid-request` out of 1 to `most`.
pub fn within(limit: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    match limit.unwrap_or(usual) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(Problem::field("?limit", format!("must be 1 to {most}"))),
    }
}
