-- The plan of `append_batch` is the same for any batch: every lookup goes by key. Left to itself the planner takes the few
-- drafts of a small batch for a reason to plan anew at each call, which costs more than to append them.
alter function append_batch(uuid[], uuid[], uuid[], uuid[], jsonb[], jsonb[]) set plan_cache_mode = force_generic_plan;
