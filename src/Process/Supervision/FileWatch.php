<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Supervision;

use FilesystemIterator;
use Reasno\GoTask\Platform\Quietly;
use RecursiveCallbackFilterIterator;
use RecursiveDirectoryIterator;
use RecursiveIteratorIterator;
use SplFileInfo;
use UnexpectedValueException;

use function count;
use function dirname;
use function in_array;

/**
 * Sees that an app's files change while no broker runs that could: for development. It looks at the same files as the broker does.
 *
 * @internal
 */
final class FileWatch
{
    /** Folders in which nobody edits the app. */
    private const SKIPPED = ['__pycache__', 'node_modules', 'site-packages', 'vendor', 'venv'];

    /** Files beyond this number are not looked at. */
    private const MOST = 10_000;

    private readonly string $folder;

    /** @var array<string, list<int>> */
    private array $seen = [];

    /**
     * @param string $app a Python file, or a module, which is looked for in the directory
     */
    public function __construct(string $app, string $directory)
    {
        $isFile = str_ends_with($app, '.py') || str_contains($app, '/');
        $this->folder = match (true) {
            ! $isFile => $directory,
            $app[0] === '/' => dirname($app),
            default => dirname("{$directory}/{$app}"),
        };
    }

    /** hasChanged() compares with the files as they are now. */
    public function begin(): void
    {
        $this->seen = $this->look();
    }

    public function hasChanged(): bool
    {
        return $this->look() !== $this->seen;
    }

    /**
     * @return array<string, list<int>> what tells one version of a file from another one, by path
     */
    private function look(): array
    {
        clearstatcache();
        $found = [];
        try {
            $files = new RecursiveIteratorIterator(new RecursiveCallbackFilterIterator(
                new RecursiveDirectoryIterator($this->folder, FilesystemIterator::SKIP_DOTS),
                static fn (SplFileInfo $file): bool => $file->isDir()
                    ? $file->getFilename()[0] !== '.' && ! in_array($file->getFilename(), self::SKIPPED, true)
                    : $file->getExtension() === 'py',
            ), RecursiveIteratorIterator::LEAVES_ONLY, RecursiveIteratorIterator::CATCH_GET_CHILD);
            foreach ($files as $file) {
                $path = $file instanceof SplFileInfo ? $file->getPathname() : '';
                $status = Quietly::call(static fn () => stat($path));
                if ($status !== false) {
                    // Times are whole seconds here, and an editor may be quicker.
                    $found[$path] = [$status['mtime'], $status['ctime'], $status['size'], $status['ino']];
                }
                if (count($found) >= self::MOST) {
                    break;
                }
            }
        } catch (UnexpectedValueException) {
            // No such folder, or it may not be seen: nothing to look at.
        }

        return $found;
    }
}
