//! The operations. They are listed once; trait, HTTP client and HTTP server are made from the list, so that none of
//! them can know an operation that another doesn't.

use async_trait::async_trait;
use common::{
    revocation::RevocationList,
    room::{Account, Invite, Member, Message, Page, ReadMarker, Room, User},
    service_token::Service::{self, ApiFunctions, EdgeAuth, WsCore},
};

use crate::{Call, Reply, types::*};

/// Hands the list of operations to a macro: doc, name, who may call it, request, answer.
#[macro_export]
macro_rules! with_operations {
    ($use:ident) => {
        $use! {
            /// Makes an account and its first session. Refused: `Conflict` for a taken name, `Forbidden` while
            /// registration is closed, `Invalid` for a common password.
            register [EdgeAuth]: Register => SessionGrant;
            /// Refused: `InvalidCredentials`, `RateLimited`; `Forbidden` for a disabled account.
            login [EdgeAuth]: Login => SessionGrant;
            /// Spends a refresh token and grants its successor. Refused: `Unauthenticated`.
            refresh [EdgeAuth]: Refresh => SessionGrant;
            /// Ends a session; one that is over already is no error.
            logout [EdgeAuth]: Logout => Nothing;
            /// The actor's sessions that go on, the last used first.
            sessions [EdgeAuth]: Nothing => SessionList;
            /// Ends one of the actor's sessions; one that is over already is no error.
            end_session [EdgeAuth]: EndSession => Nothing;
            /// Ends all other sessions of the actor. Refused: `InvalidCredentials` for a wrong present password,
            /// `RateLimited`, `Invalid` for a common new one.
            change_password [EdgeAuth]: ChangePassword => Nothing;
            /// The sessions that were ended while access tokens of theirs may still be good.
            revocations [WsCore]: Nothing => RevocationList;
            /// Of a session that looks like one of the list.
            is_revoked [EdgeAuth, ApiFunctions, WsCore]: NamedSession => Revoked;

            /// For admins: accounts by the start of their username. Refused: `Forbidden`.
            accounts [ApiFunctions]: Accounts => Page<Account>;
            /// For admins: what is given changes, and the account's sessions end. Refused: `Forbidden`; `Conflict` for the
            /// last admin.
            update_account [ApiFunctions]: UpdateAccount => Account;

            me [ApiFunctions]: Nothing => User;
            update_me [ApiFunctions]: UpdateMe => User;
            user [ApiFunctions]: GetUser => User;
            /// People whose username or display name starts so, by username.
            find_users [ApiFunctions]: FindUsers => Page<User>;

            create_room [ApiFunctions]: CreateRoom => Room;
            /// The actor's rooms, newest activity first.
            rooms [ApiFunctions]: Paging => Page<Room>;
            /// Rooms that anyone may join, the largest first.
            public_rooms [ApiFunctions]: PublicRooms => Page<Room>;
            /// One room; of a public one anyone may see a preview.
            room [ApiFunctions]: InRoom => Room;
            join_room [ApiFunctions]: InRoom => Room;
            leave_room [ApiFunctions]: InRoom => Nothing;
            members [ApiFunctions]: Members => Page<Member>;
            add_member [ApiFunctions]: InRoomUser => Made<Member>;
            remove_member [ApiFunctions]: InRoomUser => Nothing;
            /// Refused: `Conflict` for the last owner's stepping down.
            set_role [ApiFunctions]: SetRole => Member;
            update_room [ApiFunctions]: UpdateRoom => Room;
            /// Takes the room away, for good; its last event is `deleted`.
            delete_room [ApiFunctions]: InRoom => Nothing;
            /// The one room between the actor and somebody else, made at first use.
            open_dm [ApiFunctions]: GetUser => Made<Room>;

            /// Whom the actor blocks, by username.
            blocks [ApiFunctions]: Paging => Page<User>;
            block [ApiFunctions]: GetUser => Nothing;
            unblock [ApiFunctions]: GetUser => Nothing;

            invites [ApiFunctions]: Members => Page<Invite>;
            create_invite [ApiFunctions]: CreateInvite => Invite;
            withdraw_invite [ApiFunctions]: NamedInvite => Nothing;
            /// Refused: `NotFound` for what is no invite, `Gone` for one that has expired or is used up.
            accept_invite [ApiFunctions]: AcceptInvite => Room;

            /// Gives each draft the next place in its room's log, or says why not, in one transaction under the rooms'
            /// locks. The call's own actor is not looked at.
            append [ApiFunctions, WsCore]: Append => AppendOutcome;
            history [ApiFunctions]: History => HistoryPage;
            message [ApiFunctions]: GetMessage => Message;
            /// Refused: `Forbidden` for who is not its author, `Conflict` for a deleted one or another `rev`.
            edit_message [ApiFunctions]: EditMessage => Message;
            /// Takes its content out of every later answer; again is no error.
            delete_message [ApiFunctions]: GetMessage => Nothing;
            /// Adds or takes back the actor's reaction; again is no error and takes no `seq`.
            react [ApiFunctions]: React => Nothing;
            /// Full text over the plaintext rooms that the actor is a member of now, the newest first.
            search [ApiFunctions]: Search => Page<Message>;
            /// Moves the actor's read marker, forward only and at most to the head.
            mark_read [ApiFunctions, WsCore]: MarkRead => ReadMarker;
            /// The durable log after a place, for the actor; without an actor, for a gateway that fills a gap.
            events [ApiFunctions, WsCore]: Events => EventPage;

            open_rooms [WsCore]: OpenRooms => Openings;
            heads [WsCore]: Heads => HeadList;
            /// Whether others may hear that a member types: in a direct conversation not while either blocks the other.
            may_type [WsCore]: InRoomUser => Allowed;
            health [EdgeAuth, ApiFunctions, WsCore]: Nothing => Health;

            /// Publishes a device of the actor. Refused: `Conflict` for another key under its id, or one device too many.
            publish_device [ApiFunctions]: Device => Device;
            /// Takes a device away: in the actor's sealed rooms nothing may be sealed with the present key any more.
            withdraw_device [ApiFunctions]: NamedDevice => Nothing;
            /// The public keys of somebody's devices.
            devices [ApiFunctions]: GetUser => DeviceList;
            /// The actor's own keys of a room, and which devices have none.
            room_keys [ApiFunctions]: GetKeys => KeyRing;
            /// Starts the next epoch. Refused: `Conflict` for another than the next.
            start_epoch [ApiFunctions]: HandKeys => KeyRing;
            /// Hands keys of a started epoch to devices that have none.
            hand_keys [ApiFunctions]: HandKeys => KeyRing;
        }
    };
}

macro_rules! contract {
    ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
        /// What db-core does for the other services. Every operation can also be refused with `Unavailable` and
        /// `Internal`; one that needs an actor, with `Unauthenticated`.
        #[async_trait]
        pub trait DbApi: Send + Sync + 'static {
            $($(#[$doc])* async fn $name(&self, call: Call, request: $request) -> Reply<$answer>;)*
        }

        /// Which services may call an operation, by its name; `None` for an unknown one.
        pub fn callers(operation: &str) -> Option<&'static [Service]> {
            match operation {
                $(stringify!($name) => Some(&[$($caller),*]),)*
                _ => None,
            }
        }

        /// The names of all operations.
        pub const OPERATIONS: &[&str] = &[$(stringify!($name)),*];
    };
}

with_operations!(contract);
