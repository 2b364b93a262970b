//! Presence leases (consistency rule 10): a key that lives as long as its gateway renews it, beside the hash of the
//! gateway's users and how they are. All keys share one hash slot, so that a script may touch them together.

use std::{collections::HashMap, time::Duration};

use common::{GatewayId, UserId, room::Presence};
use redis::Script;

use super::RedisBus;
use crate::{BusError, Whereabouts, contract::together};

fn gateways(bus: &RedisBus) -> String {
    format!("{}{{presence}}:gateways", bus.prefix)
}

fn lease(bus: &RedisBus, gateway: GatewayId) -> String {
    format!("{}{{presence}}:lease:{gateway}", bus.prefix)
}

fn users_of(bus: &RedisBus, gateway: GatewayId) -> String {
    format!("{}{{presence}}:users:{gateway}", bus.prefix)
}

/// The gateways that have a set, and whether each is alive.
async fn known(bus: &RedisBus) -> Result<Vec<(GatewayId, bool)>, BusError> {
    let mut connection = bus.connection.clone();
    let names: Vec<String> = redis::cmd("SMEMBERS")
        .arg(gateways(bus))
        .query_async(&mut connection)
        .await?;
    let known: Vec<GatewayId> = names.iter().filter_map(|name| name.parse().ok()).collect();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let mut pipeline = redis::pipe();
    for gateway in &known {
        pipeline.cmd("EXISTS").arg(lease(bus, *gateway));
    }
    let alive: Vec<bool> = pipeline.query_async(&mut connection).await?;
    Ok(known.into_iter().zip(alive).collect())
}

pub async fn renew(
    bus: &RedisBus,
    gateway: GatewayId,
    users: &Whereabouts,
    lease_time: Duration,
) -> Result<(), BusError> {
    let set = users_of(bus, gateway);
    let mut pipeline = redis::pipe();
    pipeline.atomic();
    pipeline
        .cmd("SADD")
        .arg(gateways(bus))
        .arg(gateway.to_string())
        .ignore();
    pipeline
        .cmd("SET")
        .arg(lease(bus, gateway))
        .arg(1)
        .arg("PX")
        .arg(lease_time.as_millis() as u64)
        .ignore();
    pipeline.cmd("DEL").arg(&set).ignore();
    if !users.is_empty() {
        let command = pipeline.cmd("HSET").arg(&set);
        for (user, status) in users {
            command.arg(user.to_string()).arg(status.as_str());
        }
        command.ignore();
    }
    Ok(pipeline.query_async::<()>(&mut bus.connection.clone()).await?)
}

/// Of several takers one gets the set: the script looks and takes in one step.
const TAKE: &str = r"
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
if redis.call('SREM', KEYS[3], ARGV[1]) == 0 then return false end
local users = redis.call('HGETALL', KEYS[2])
redis.call('DEL', KEYS[2])
return users";

pub async fn take_expired(bus: &RedisBus) -> Result<Vec<(GatewayId, Whereabouts)>, BusError> {
    let dead = known(bus).await?.into_iter().filter(|(_, alive)| !alive);
    let take = Script::new(TAKE);
    let mut taken = Vec::new();
    for (gateway, _) in dead {
        let mut call = take.key(lease(bus, gateway));
        call.key(users_of(bus, gateway))
            .key(gateways(bus))
            .arg(gateway.to_string());
        let users: Option<HashMap<String, String>> = call.invoke_async(&mut bus.connection.clone()).await?;
        if let Some(users) = users {
            let read = |(user, status): (String, String)| Some((user.parse().ok()?, Presence::parse(&status)?));
            taken.push((gateway, users.into_iter().filter_map(read).collect()));
        }
    }
    Ok(taken)
}

pub async fn present(bus: &RedisBus, users: &[UserId]) -> Result<Whereabouts, BusError> {
    let mut present = Whereabouts::new();
    if users.is_empty() {
        return Ok(present);
    }
    let asked: Vec<String> = users.iter().map(UserId::to_string).collect();
    let mut pipeline = redis::pipe();
    let mut living = known(bus).await?;
    living.retain(|(_, alive)| *alive);
    for (gateway, _) in &living {
        pipeline.cmd("HMGET").arg(users_of(bus, *gateway)).arg(&asked);
    }
    if living.is_empty() {
        return Ok(present);
    }
    let statuses: Vec<Vec<Option<String>>> = pipeline.query_async(&mut bus.connection.clone()).await?;
    for (user, status) in statuses.iter().flat_map(|of_gateway| users.iter().zip(of_gateway)) {
        if let Some(status) = status.as_deref().and_then(Presence::parse) {
            let known = present.entry(*user).or_insert(status);
            *known = together(*known, status);
        }
    }
    Ok(present)
}
