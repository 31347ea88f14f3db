/** Linux takes memory in and out by blocks of this size, on x86-64 machines below 64 GiB. */
export const MEMORY_BLOCK_BYTES = 128 * 1024 * 1024;
/** Each piece of memory that is added takes one; they cost the guest next to nothing. */
export const MEMORY_SLOTS = 16;
