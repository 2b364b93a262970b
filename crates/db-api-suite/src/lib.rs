//! The suite of db-core's contract: whoever serves it passes this, whether directly, over HTTP or as a model. Each case takes
//! a fresh, empty system.

#![allow(clippy::unwrap_used, reason = "every line of this crate is a test")]

pub mod actions;
pub mod log;
pub mod markers;
pub mod sessions;

/// Makes a test of each case, in a module of the given name. `$make` is a function that gives a fresh system.
#[macro_export]
macro_rules! on {
    ($module:ident, $make:path) => {
        $crate::cases!(
            $module,
            $make,
            log::a_send_takes_the_next_place_and_a_repeat_takes_none,
            log::each_draft_is_answered_by_itself,
            log::sends_that_race_a_removal,
            log::batches_that_lock_rooms_in_opposite_orders_do_not_wait_for_each_other,
            log::at_once_one_message_is_written_once,
            log::sent_at_never_falls_and_the_cached_page_is_never_old,
            log::a_gateway_opens_rooms_and_compares_heads,
            markers::a_marker_moves_forward_only_and_to_the_head_at_most,
            markers::counts_agree_over_devices_whatever_happens,
            sessions::a_refresh_chain_is_one_atomic_step,
        );
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! cases {
    ($module:ident, $make:path, $($area:ident :: $case:ident),* $(,)?) => {
        mod $module {
            $(#[tokio::test]
            async fn $case() {
                $crate::$area::$case($make().await).await;
            })*
        }
    };
}
