//! The bus of a single process.
pub struct MemoryBus;
