/** What the story has: computers that are lent, and a computer with a core in standby. */
export const STORY_PARTS = ["lending", "standby"] as const;
export type StoryPart = (typeof STORY_PARTS)[number];
