/**
 * The environment of every Python that is started: a person's settings, but not those that would
 * make it load other modules than those of the project's environment, run a file before ours,
 * read file names in another encoding than Node writes them, or compile all of our code at every
 * start, which takes half a second.
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
 * Arguments of Python for a module of the project's environment. Without the flag a file in the
 * folder that a command is given in could take the place of a module.
 *
 * @param {string} name
 * @returns {string[]}
 */
export function pythonModule(name) {
  return ["-P", "-m", name];
}
