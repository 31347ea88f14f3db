import { processEnvironment } from "./environment.ts";
import { endWithLauncher } from "./launcher-pipe.ts";
import { run } from "./run.ts";
import { processSurroundings } from "./surroundings.ts";

const environment = processEnvironment();
endWithLauncher(environment.launcherFd);
process.exitCode = await run(process.argv.slice(2), processSurroundings(environment));
