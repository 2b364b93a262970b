//! Drills: the same clients on the real processes of a stack with two db-core, of which any may hang, die or be cut off.
//! What the clients do follows from the seed; when a process answers does not, so that a seed may need several runs.

mod breaker;
mod garbling;
mod gateways;
mod proxy;
mod public;
mod redis;
mod routes;
mod stack;

use std::sync::Arc;

use db_api::DbApi;

use crate::world::{Stage, weather};
use breaker::Processes;
use gateways::Gateways;
use public::{Public, Tokens};

pub use stack::Drilled;

/// # Errors
/// When the stack is not up.
pub fn stage(seed: u64, stack: &Arc<Drilled>) -> anyhow::Result<Stage> {
    let endpoints = stack.endpoints()?;
    let tokens = Arc::new(Tokens::default());
    let public = Arc::new(Public::new(&endpoints.web, tokens.clone())?);
    let api = public.clone();
    Ok(Stage {
        truth: public,
        api: Box::new(move |_| api.clone() as Arc<dyn DbApi>),
        connect: Arc::new(Gateways {
            urls: endpoints.ws,
            tokens,
        }),
        breaker: Arc::new(Processes::new(stack.clone())),
        weather: weather(seed),
        // A stack is used by many runs.
        family: format!("u{:.12}-", service::minted::id().simple().to_string().split_off(20)),
    })
}
