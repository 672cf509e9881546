/*
 * Node.js keeps the code that it compiles when it loads a file, but not that of the functions which it
 * compiles at their first call: each of the suite's hundreds of runs would compile them again, which takes a
 * tenth of its CPU time. With this flag of V8's, it compiles and keeps whole files. Node.js's own modules bring
 * their compiled code along, which V8 takes only under the flags that it was made with: those that the action
 * uses are loaded before.
 */
require("node:child_process");
require("node:dns/promises");
require("node:http2");
require("node:https");
require("node:readline/promises");
require("node:stream/consumers");
require("node:zlib");
// Loads what is behind fetch.
void Headers;
require("node:v8").setFlagsFromString("--no-lazy");
