<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Hyperf;

use PHPUnit\Framework\TestCase;

/**
 * Tests in a real application. They need one that Composer has made: `tests/Hyperf/make-application DIR` does that where it can
 * resolve Hyperf, and GOTASK_HYPERF_APP names it then; GOTASK_HYPERF_PHP, a PHP with Swoole if this one has none.
 */
abstract class HyperfTestCase extends TestCase
{
    protected Application $app;

    protected function setUp(): void
    {
        $template = getenv('GOTASK_HYPERF_APP');
        if ($template === false || $template === '') {
            self::markTestSkipped('needs a Hyperf application: tests/Hyperf/make-application DIR, then GOTASK_HYPERF_APP=DIR');
        }
        $this->app = new Application($template);
    }

    protected function tearDown(): void
    {
        if (isset($this->app)) {
            $this->app->remove();
        }
    }

    /**
     * @return array<array-key, mixed>
     */
    protected function json(string $path): array
    {
        [$status, $body] = $this->app->get($path);
        self::assertSame(200, $status, "{$body}\n{$this->app->log()}");
        $value = json_decode($body, true);
        self::assertIsArray($value);

        return $value;
    }

    protected function edit(string $file, string $search, string $replace): void
    {
        $content = (string) file_get_contents("{$this->app->directory}/{$file}");
        self::assertStringContainsString($search, $content);
        $this->app->write($file, str_replace($search, $replace, $content));
    }

    /** Without a word of what Swoole and Hyperf say when something does not end. */
    protected function assertCleanLog(): void
    {
        $log = $this->app->log();
        foreach (['WARNING', 'ERROR', 'FATAL', 'deadlock', 'timeout', 'Uncaught'] as $word) {
            self::assertStringNotContainsString($word, $log);
        }
    }
}
