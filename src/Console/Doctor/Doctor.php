<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Doctor;

use Reasno\GoTask\Address;
use Reasno\GoTask\Console\Addresses;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\StatusFile;
use Reasno\GoTask\Process\Status\UnixSocket;
use ReflectionExtension;
use ValueError;

use function dirname;
use function extension_loaded;
use function function_exists;
use function ini_get;
use function sprintf;
use function strlen;

/**
 * Looks at everything that a worker needs, and says what to do about what is missing. It starts no worker and changes nothing.
 *
 * @internal
 */
final class Doctor
{
    /** Seconds that a worker gets to answer. */
    private const PATIENCE = 1.0;

    /**
     * @param string $app a file or a module
     * @param string $directory from which relative paths count
     * @param string $command what the names of this package's commands follow where it is used
     */
    public function __construct(
        private readonly string $app,
        private readonly string $address,
        private readonly ?string $python,
        private readonly string $directory,
        private readonly string $command = 'vendor/bin/gotask ',
    ) {
    }

    /**
     * @return list<Finding>
     */
    public function examine(): array
    {
        return [
            ...$this->php(),
            ...ChildProcess::obstacle() === null ? (new Interpreters($this->python, $this->directory, $this->command))->examine($this->requirements()) : [],
            ...$this->app(),
            ...$this->examineAddress(),
        ];
    }

    /**
     * The address alone, and the worker there.
     *
     * @return list<Finding>
     */
    public function examineAddress(): array
    {
        return [...$this->address(), $this->worker()];
    }

    /**
     * @return list<Finding>
     */
    private function php(): array
    {
        $findings = [new Finding(true, 'PHP ' . PHP_VERSION . (extension_loaded('swoole') ? ', Swoole ' . self::version('swoole') : ''))];
        foreach (['posix' => 'processes that do not end in time can be killed with their children', 'pcntl' => 'signals end the worker in order', 'sockets' => 'quick calls go straight to a worker'] as $name => $use) {
            if (! extension_loaded($name)) {
                $findings[] = new Finding(null, "PHP's extension {$name} is not loaded", "load it, so that {$use}");
            }
        }
        $obstacle = ChildProcess::obstacle();
        if ($obstacle !== null) {
            $findings[] = new Finding(false, $obstacle);
        }
        if (! function_exists('stream_socket_client')) {
            $findings[] = new Finding(false, 'PHP may connect to nothing here', 'take stream_socket_client out of disable_functions in php.ini');
        }
        $hidden = (string) ini_get('open_basedir');
        if ($hidden !== '') {
            $findings[] = new Finding(null, "open_basedir is {$hidden}: interpreters and files elsewhere are not seen from here", "have the project, vendor/reasno/gotask and the worker's socket in it");
        }
        $findings[] = extension_loaded('msgpack')
            ? new Finding(true, 'ext-msgpack ' . self::version('msgpack'))
            : new Finding(null, "PHP's extension msgpack is not loaded", 'plain data is packed several times faster with it: pecl install msgpack');

        return $findings;
    }

    /**
     * @return list<Finding>
     */
    private function app(): array
    {
        $isFile = str_ends_with($this->app, '.py') || str_contains($this->app, '/');
        if (! $isFile) {
            return [new Finding(true, "the app is the module {$this->app}")];
        }
        $path = $this->app[0] === '/' ? $this->app : "{$this->directory}/{$this->app}";
        if (! Quietly::call(static fn () => is_file($path))) {
            return [new Finding(false, "the app {$path} does not exist", 'write it, or name another file')];
        }
        $findings = [new Finding(true, "the app is {$path}")];
        $folder = dirname($path);
        if (basename($folder) === 'gotask' && Quietly::call(static fn () => is_file("{$folder}/__init__.py"))) {
            $findings[] = new Finding(false, "{$folder}/__init__.py makes the folder a package that hides gotask's own", 'remove that file');
        }
        if (basename($path) === 'gotask.py') {
            $findings[] = new Finding(false, "{$path} has the name of the package that it imports", 'rename it, app.py for instance');
        }

        return $findings;
    }

    /**
     * @return list<Finding>
     */
    private function address(): array
    {
        try {
            $address = (string) Address::parse($this->address);
        } catch (ValueError $error) {
            return [new Finding(false, $error->getMessage(), 'name another address')];
        }
        $path = UnixSocket::path($address);
        if ($path === null) {
            return [new Finding(true, "the address is {$address}")];
        }
        $directory = dirname($path);
        while (! Quietly::call(static fn () => is_dir($directory)) && $directory !== '/') {
            $directory = dirname($directory);
        }
        if (! Quietly::call(static fn () => is_writable($directory))) {
            return [new Finding(false, "{$directory} can't be written to, where the socket {$path} belongs", 'give this user the right to, or name another address')];
        }

        return [new Finding(true, sprintf('the address is %s, %d of %d bytes', $address, strlen($path), Address::MAX_UNIX_PATH))];
    }

    private function worker(): Finding
    {
        $status = (new StatusFile($this->address))->read();

        return match ($status?->availability) {
            null => $this->ask(),
            Availability::Ready => new Finding(true, "a worker is ready, watched by process {$status->supervisor}"),
            Availability::Starting => new Finding(null, 'a worker is being started', 'wait a moment'),
            Availability::Failed => new Finding(false, "the worker does not start: {$status->message}", 'mend that; it is tried again by itself'),
        };
    }

    /** No supervisor is seen here: the worker may run on another machine, or without one. */
    private function ask(): Finding
    {
        try {
            Addresses::connect([$this->address])->call('GoTask.Ping', null, self::PATIENCE);

            return new Finding(true, 'a worker answers there');
        } catch (ConnectFailed|ValueError) {
            return new Finding(null, 'no worker runs there', 'it starts with the server, or with `vendor/bin/gotask serve`');
        } catch (GoTaskException $failure) {
            return new Finding(null, "who is there does not answer: {$failure->getMessage()}");
        }
    }

    private function requirements(): ?string
    {
        $file = dirname($this->app[0] === '/' ? $this->app : "{$this->directory}/{$this->app}") . '/requirements.txt';

        return Quietly::call(static fn () => is_file($file)) ? $file : null;
    }

    /** phpversion() is a function that hosts disable. */
    private static function version(string $extension): string
    {
        return (string) (new ReflectionExtension($extension))->getVersion();
    }
}
