//! Devices and the keys of sealed rooms (contract, section 7).

pub use common::envelope::{Device, KeyRing, WrappedKey};
use common::{DeviceId, RoomId};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedDevice {
    pub device_id: DeviceId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceList {
    pub items: Vec<Device>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetKeys {
    pub room_id: RoomId,
    /// Keys of this device only.
    #[serde(default)]
    pub device_id: Option<DeviceId>,
    /// Of which epoch to say who has no key; the present one unless given.
    #[serde(default)]
    pub epoch: Option<u32>,
}

/// Keys of one epoch for devices of members.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandKeys {
    pub room_id: RoomId,
    pub epoch: u32,
    /// 1 to [`common::limits::KEYS_PER_REQUEST`].
    pub keys: Vec<WrappedKey>,
}
