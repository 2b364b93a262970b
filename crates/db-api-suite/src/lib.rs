//! The suite of db-core's contract: whoever serves it passes this, whether directly, over HTTP or as a model. Each case takes
//! a fresh, empty system.

#![allow(clippy::unwrap_used, reason = "every line of this crate is a test")]

pub mod actions;
pub mod invites;
pub mod keys;
pub mod log;
pub mod markers;
pub mod messages;
pub mod once;
pub mod people;
pub mod roles;
pub mod rooms;
pub mod sealed;
pub mod search;
pub mod sessions;

/// Makes a test of each case, in a module of the given name. `$make` is a function that gives a fresh system. With areas
/// named behind it, for who serves these alone.
#[macro_export]
macro_rules! on {
    ($module:ident, $make:path) => {
        $crate::on!($module, $make: log, markers, people, roles, rooms, messages, search, once, invites, keys, sealed, sessions);
    };
    ($module:ident, $make:path: $($area:ident),* $(,)?) => {
        mod $module {
            $($crate::area!($area, $make);)*
        }
    };
}

/// The cases of an area.
#[doc(hidden)]
#[macro_export]
macro_rules! area {
    (log, $make:path) => {
        $crate::cases!(
            log,
            $make,
            a_send_takes_the_next_place_and_a_repeat_takes_none,
            each_draft_is_answered_by_itself,
            sends_that_race_a_removal,
            batches_that_lock_rooms_in_opposite_orders_do_not_wait_for_each_other,
            at_once_one_message_is_written_once,
            sent_at_never_falls_and_the_cached_page_is_never_old,
            a_membership_begins_and_ends_with_its_answer,
            a_gateway_opens_rooms_and_compares_heads,
        );
    };
    (markers, $make:path) => {
        $crate::cases!(
            markers,
            $make,
            a_marker_moves_forward_only_and_to_the_head_at_most,
            counts_agree_over_devices_whatever_happens,
            counts_are_exact_to_a_thousand_and_stay_there,
        );
    };
    (people, $make:path) => {
        $crate::cases!(
            people,
            $make,
            two_people_have_one_room,
            a_dm_stays_as_it_is,
            a_block_keeps_the_other_away,
            nobody_is_added_behind_a_block,
        );
    };
    (roles, $make:path) => {
        $crate::cases!(roles, $make, who_may_do_what,);
    };
    (rooms, $make:path) => {
        $crate::cases!(
            rooms,
            $make,
            a_change_says_what_changed_and_none_takes_no_place,
            the_last_owner_stays_one_unless_alone,
            a_room_that_was_taken_away_is_nowhere,
        );
    };
    (messages, $make:path) => {
        $crate::cases!(
            messages,
            $make,
            an_edit_is_its_authors_and_moves_the_text_alone,
            a_deletion_takes_the_content_out_of_every_later_answer,
            who_is_out_changes_nothing,
            reactions_are_counted_for_all_and_marked_for_each,
            a_message_has_so_many_different_reactions,
            edits_and_reactions_that_race_a_deletion,
            at_once_one_reaction_is_one_event,
        );
    };
    (search, $make:path) => {
        $crate::cases!(
            search,
            $make,
            words_are_found_in_my_rooms_the_newest_first,
            what_is_found_is_as_it_stands_now,
            a_search_goes_on_from_its_cursor,
        );
    };
    (once, $make:path) => {
        $crate::cases!(
            once,
            $make,
            at_once_one_key_makes_one_room,
            a_repeat_does_nothing_and_shows_what_stands_now,
            a_send_is_repeated_with_the_status_of_the_first,
            what_is_refused_leaves_its_key_free,
            a_repeat_shows_nothing_to_who_is_out,
        );
    };
    (invites, $make:path) => {
        $crate::cases!(
            invites,
            $make,
            an_invite_lets_in_as_many_as_it_says,
            an_invite_ends_by_its_time_or_by_hand,
        );
    };
    (keys, $make:path) => {
        $crate::cases!(
            keys,
            $make,
            a_device_has_one_key_and_there_are_so_many,
            epochs_follow_each_other_and_a_handed_key_stays,
            a_sealed_room_has_so_many_devices,
        );
    };
    (sealed, $make:path) => {
        $crate::cases!(
            sealed,
            $make,
            a_send_is_sealed_with_a_key_that_counts,
            sends_that_race_a_block,
        );
    };
    (sessions, $make:path) => {
        $crate::cases!(
            sessions,
            $make,
            a_refresh_chain_is_one_atomic_step,
            sessions_are_told_and_ended,
            a_new_password_ends_the_other_sessions,
            a_login_that_races_a_new_password,
        );
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! cases {
    ($area:ident, $make:path, $($case:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $case() {
            $crate::$area::$case($make().await).await;
        })*
    };
}
