/**
 * The environment variables for every Python that is started: the person's settings, except those
 * that would make it load modules from outside the project's environment, run a file before ours,
 * read file names in another encoding than Node's, or compile all of our code at every start, which
 * takes half a second.
 *
 * @param {Readonly<NodeJS.ProcessEnv>} env
 * @returns {NodeJS.ProcessEnv}
 */
export function pythonEnv(env) {
  const { PYTHONHOME, PYTHONPATH, PYTHONSTARTUP, PYTHONUSERBASE, ...others } = env;
  const { PYTHONDONTWRITEBYTECODE, ...own } = others;
  return { ...own, PYTHONNOUSERSITE: "1", PYTHONUTF8: "1" };
}

/**
 * Python's arguments for a module of the project's environment. Without the flag, a file in the
 * current folder could replace a module.
 *
 * @param {string} name
 * @returns {string[]}
 */
export function pythonModule(name) {
  return ["-P", "-m", name];
}
