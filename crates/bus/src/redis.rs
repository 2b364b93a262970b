//! The bus over Redis.
pub struct RedisBus;
