/**
 * The environment of every Python that is started: a person's settings, but not those that would
 * make it load other modules than those of the project's environment, run a file before ours or
 * read file names in another encoding than Node writes them.
 *
 * @param {Readonly<NodeJS.ProcessEnv>} env
 * @returns {NodeJS.ProcessEnv}
 */
export function pythonEnv({ PYTHONHOME, PYTHONPATH, PYTHONSTARTUP, PYTHONUSERBASE, ...env }) {
  return { ...env, PYTHONNOUSERSITE: "1", PYTHONUTF8: "1" };
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
