//! Presence leases (consistency rule 10): a key that lives as long as its gateway renews it, beside the set of the
//! gateway's users. All keys share one hash slot, so that a script may touch them together.

use std::{collections::HashSet, str::FromStr, time::Duration};

use common::{GatewayId, UserId};
use redis::Script;

use super::RedisBus;
use crate::BusError;

fn gateways(bus: &RedisBus) -> String {
    format!("{}{{presence}}:gateways", bus.prefix)
}

fn lease(bus: &RedisBus, gateway: GatewayId) -> String {
    format!("{}{{presence}}:lease:{gateway}", bus.prefix)
}

fn users_of(bus: &RedisBus, gateway: GatewayId) -> String {
    format!("{}{{presence}}:users:{gateway}", bus.prefix)
}

fn ids<T: FromStr>(texts: Vec<String>) -> impl Iterator<Item = T> {
    texts.into_iter().filter_map(|text| text.parse().ok())
}

pub async fn renew(
    bus: &RedisBus,
    gateway: GatewayId,
    users: &HashSet<UserId>,
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
        let members: Vec<String> = users.iter().map(UserId::to_string).collect();
        pipeline.cmd("SADD").arg(&set).arg(members).ignore();
    }
    Ok(pipeline.query_async::<()>(&mut bus.connection.clone()).await?)
}

pub async fn end(bus: &RedisBus, gateway: GatewayId) -> Result<(), BusError> {
    let mut pipeline = redis::pipe();
    pipeline.atomic();
    pipeline
        .cmd("SREM")
        .arg(gateways(bus))
        .arg(gateway.to_string())
        .ignore();
    pipeline
        .cmd("DEL")
        .arg(lease(bus, gateway))
        .arg(users_of(bus, gateway))
        .ignore();
    Ok(pipeline.query_async::<()>(&mut bus.connection.clone()).await?)
}

/// Of several takers one gets the set: the script looks and takes in one step.
const TAKE: &str = r"
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
if redis.call('SREM', KEYS[3], ARGV[1]) == 0 then return false end
local users = redis.call('SMEMBERS', KEYS[2])
redis.call('DEL', KEYS[2])
return users";

pub async fn take_expired(bus: &RedisBus) -> Result<Vec<(GatewayId, HashSet<UserId>)>, BusError> {
    let mut connection = bus.connection.clone();
    let known: Vec<String> = redis::cmd("SMEMBERS")
        .arg(gateways(bus))
        .query_async(&mut connection)
        .await?;
    let take = Script::new(TAKE);
    let mut taken = Vec::new();
    for gateway in ids::<GatewayId>(known) {
        let mut call = take.key(lease(bus, gateway));
        call.key(users_of(bus, gateway))
            .key(gateways(bus))
            .arg(gateway.to_string());
        let users: Option<Vec<String>> = call.invoke_async(&mut connection).await?;
        if let Some(users) = users {
            taken.push((gateway, ids(users).collect()));
        }
    }
    Ok(taken)
}

pub async fn present(bus: &RedisBus, users: &[UserId]) -> Result<HashSet<UserId>, BusError> {
    let mut connection = bus.connection.clone();
    let known: Vec<String> = redis::cmd("SMEMBERS")
        .arg(gateways(bus))
        .query_async(&mut connection)
        .await?;
    let mut present = HashSet::new();
    if users.is_empty() {
        return Ok(present);
    }
    let asked: Vec<String> = users.iter().map(UserId::to_string).collect();
    for gateway in ids::<GatewayId>(known) {
        let mut pipeline = redis::pipe();
        pipeline.cmd("EXISTS").arg(lease(bus, gateway));
        pipeline.cmd("SMISMEMBER").arg(users_of(bus, gateway)).arg(&asked);
        let (alive, is_member): (bool, Vec<bool>) = pipeline.query_async(&mut connection).await?;
        let there = users.iter().zip(is_member).filter(|(_, is_member)| alive && *is_member);
        present.extend(there.map(|(user, _)| *user));
    }
    Ok(present)
}
