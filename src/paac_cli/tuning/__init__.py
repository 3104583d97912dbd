"""Search for hyperparameters: everything behind `paac tune`. A study is a directory of trials, which are runs."""
