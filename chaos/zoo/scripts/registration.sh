# Modules and ids of environments that are wrong, odd, or somebody else's.

### module-missing: the module does not exist
# exit 2
# output no_such
ENV=no_such:Mine-v0; train

### module-syntax: the module has a syntax error
# exit 2
# output my_envs
# output syntax
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
def f(:
END
ENV=my_envs:Mine-v0
train

### module-raises: the module raises
# exit 2
# output no licence
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
raise ValueError('no licence')
END
ENV=my_envs:Mine-v0
train

### module-exits: the module calls sys.exit
# exit 1 or 2
# output exit
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
sys.exit(0)
END
ENV=my_envs:Mine-v0
train

### module-os-exits: the module calls os._exit
# exit 1 or 2
# output exit
# at most 60 lines
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
os._exit(0)
END
ENV=my_envs:Mine-v0
train

### module-hangs: the import of the module hangs
# exit 1 or 2
# output hung
# output sampling.worker_timeout
# at most 60 lines
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
time.sleep(10_000)
END
ENV=my_envs:Mine-v0
train --set sampling.worker_timeout=2

### module-needs-module: the module needs another
# exit 2
# output no_such
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
import no_such
END
ENV=my_envs:Mine-v0
train

### module-changes-directory: the module changes the directory
# exit 0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
os.chdir('/')
gymnasium.register('Mine-v0', Toy)
END
ENV=my_envs:Mine-v0
train && test -d run/checkpoints && play

### module-prints: the module prints when it is imported
# exit 0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
print('Simulator 1.0')
gymnasium.register('Mine-v0', Toy)
END
ENV=my_envs:Mine-v0
train && play --json 2>/dev/null | python -m json.tool

### module-unicode: the module's name is not ASCII
# exit 0
cat >größe.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', Toy)
END
ENV=größe:Mine-v0
train && play

### module-named-like-library: the module is called random
# exit 0 or 2
cat >random.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', Toy)
END
ENV=random:Mine-v0
train

### id-not-registered: the module registers nothing
# exit 2
# output Mine-v0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy

END
ENV=my_envs:Mine-v0
train

### id-unicode: the id is not ASCII
# exit 0 or 2
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Größe-v0', Toy)
END
ENV=my_envs:Mine-v0
ENV=my_envs:Größe-v0; train && play

### id-with-namespace: the id has a namespace
# exit 0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('my/Mine-v0', Toy)
END
ENV=my_envs:Mine-v0
ENV=my_envs:my/Mine-v0; train && play

### id-other-version: the id has another version
# exit 2
# output Mine
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v3', Toy)
END
ENV=my_envs:Mine-v0
train

### id-empty: the id is empty
# exit 2
# output env
train --env ''

### id-colon: the id is a colon
# exit 2
# output env | :
train --env :

### id-with-spaces: the id has spaces and a newline
# exit 2
# output CartPole-v1 | env
train --env $'CartPole v1\n'

### id-cartpole-without-version: the id has no version
# exit 0 or 2
# output CartPole
train --env CartPole

### id-lower-case: the id is in lower case
# exit 2
# output did you mean CartPole-v1
train --env cartpole-v1

### atari-no-frameskip: the id is what everybody typed for years
# exit 2
# output did you mean ALE/Pong-v5
train --env PongNoFrameskip-v4

### atari-without-namespace: the id lacks ALE/
# exit 2
# output did you mean ALE/Pong-v5
train --env Pong-v5

### atari-typo: the game does not exist
# exit 2
# output ALE/Pong-v5
train --env ALE/Pnog-v5

### atari-multi-player: the game has no mode for one player
# exit 2
# output Joust
train --env ALE/Joust-v5

### entry-point-none: the entry point returns None
# exit 2
# output Mine-v0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', lambda **_: None)
END
ENV=my_envs:Mine-v0
train

### entry-point-number: the entry point returns a number
# exit 2
# output Mine-v0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', lambda **_: 3)
END
ENV=my_envs:Mine-v0
train

### entry-point-missing: the entry point does not exist
# exit 2
# output Other
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', 'my_envs:Other')
END
ENV=my_envs:Mine-v0
train

### entry-point-vector: the entry point returns a vector environment
# exit 2
# output Mine-v0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', lambda **_: gymnasium.make_vec('CartPole-v1', 2))
END
ENV=my_envs:Mine-v0
train

### wrapped: wrapped in Gymnasium's wrappers
# exit 0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
from gymnasium.wrappers import RecordEpisodeStatistics, TransformReward
gymnasium.register('Mine-v0', lambda **k: RecordEpisodeStatistics(TransformReward(Toy(**k), lambda reward: 2 * reward)))
END
ENV=my_envs:Mine-v0
train && play

### wrapper-raises: a wrapper raises an exception of its own
# exit 1
# output LookupError: no key
# output my_envs.py
# at most 60 lines
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
class Wrapper(gymnasium.Wrapper):
    def step(self, action):
        raise LookupError('no key')
gymnasium.register('Mine-v0', lambda **k: Wrapper(Toy(**k)))
END
ENV=my_envs:Mine-v0
train

### time-limit: Gymnasium truncates its games
# exit 0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', Toy, max_episode_steps=7)
END
ENV=my_envs:Mine-v0
train && play

### registered-with-default: registered with arguments
# exit 0
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', Toy, kwargs={'render_mode': None})
END
ENV=my_envs:Mine-v0
train && record && test -s video.mp4

### changed-module: the module loses the environment after the training
# exit 2
# output Mine-v0
# at most 24 lines
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', Toy)
END
ENV=my_envs:Mine-v0
train && echo >my_envs.py && play

### untrusted: evaluated without --trust-code
# exit 2
# output my_envs:Mine-v0
# output --trust-code
# at most 24 lines
cat >my_envs.py <<'END'
import gymnasium, os, sys, time
from chaos.zoo.toy import Toy
gymnasium.register('Mine-v0', Toy)
END
ENV=my_envs:Mine-v0
train && paac eval run
