<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Doctor;

use Reasno\GoTask\Console\TypedMap;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Child\InterpreterFinder;

use function in_array;

/**
 * Which interpreter will be taken, and what it has.
 *
 * @internal
 */
final class Interpreters
{
    /** Prints what is missing. A name in requirements.txt is looked up as installed packages are, without what follows it. */
    private const PROBE = <<<'PYTHON'
        import json, re, sys
        from importlib import metadata
        def version(name):
            try:
                return metadata.version(name)
            except Exception:
                return None
        lines = open(sys.argv[1]).read().splitlines() if len(sys.argv) > 1 else []
        names = [match[0] for line in lines if (match := re.match(r"[A-Za-z0-9][\w.-]*", line))]
        try:
            import msgpack
        except ImportError:
            names.insert(0, "msgpack")
        print(json.dumps({
            "version": ".".join(map(str, sys.version_info[:3])),
            "old": sys.version_info < (3, 10),
            "missing": sorted({name for name in names if version(name) is None}),
            "uvloop": version("uvloop") or "",
        }))
        PYTHON;

    /**
     * @param string $command what the names of this package's commands follow where it is used
     */
    public function __construct(
        private readonly ?string $python,
        private readonly string $directory,
        private readonly string $command = 'vendor/bin/gotask ',
    ) {
    }

    /**
     * @param null|string $requirements a file of what the app needs
     * @return list<Finding>
     */
    public function examine(?string $requirements): array
    {
        $findings = [];
        $candidates = (new InterpreterFinder($this->python, $this->directory))->candidates();
        foreach ($candidates as $python) {
            $probe = $this->probe($python, $requirements);
            if ($probe === null) {
                $findings[] = new Finding(null, "{$python} can't be run");
                continue;
            }
            $missing = $probe->texts('missing');
            $name = "{$python}, Python {$probe->text('version')}";
            if ($probe->flag('old')) {
                $findings[] = new Finding(null, "{$name}, is too old: 3.10 or later is needed");
            } elseif (in_array('msgpack', $missing, true)) {
                $findings[] = new Finding(null, "{$name}, lacks " . implode(', ', $missing), "{$python} -m pip install " . implode(' ', $missing));
            } else {
                return [...$findings, ...$this->chosen($name, $python, $probe)];
            }
        }

        return [...$findings, new Finding(
            false,
            $candidates === [] ? 'no Python was found' : 'no Python that was found has what the worker needs',
            "`{$this->command}install` makes a virtual environment that has; or name an interpreter",
        )];
    }

    /**
     * @return list<Finding>
     */
    private function chosen(string $name, string $python, TypedMap $probe): array
    {
        $findings = [new Finding(true, "{$name}, is taken")];
        $missing = $probe->texts('missing');
        if ($missing !== []) {
            $findings[] = new Finding(false, "{$python} lacks " . implode(', ', $missing) . ' of requirements.txt', "`{$this->command}install` installs them");
        }
        if ($probe->text('uvloop') === '') {
            $findings[] = new Finding(null, 'uvloop is not installed', "the broker is faster with it: {$python} -m pip install uvloop");
        }

        return $findings;
    }

    private function probe(string $python, ?string $requirements): ?TypedMap
    {
        try {
            $process = ChildProcess::start([$python, '-c', self::PROBE, ...$requirements === null ? [] : [$requirements]], $this->directory);
        } catch (WorkerStartFailed) {
            return null;
        }
        $output = '';
        do {
            $running = $process->isRunning();
            $read = $process->read(0.1);
            $output .= $read[0];
        } while ($running || $read !== ['', '']);
        $process->release();

        return $process->exit()?->code === 0 ? TypedMap::of(json_decode($output, true)) : null;
    }
}
