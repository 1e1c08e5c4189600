<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Calling;

use DateTimeImmutable;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Calling\Services;
use stdClass;
use ValueError;

/**
 * @internal
 */
#[CoversClass(Services::class)]
final class ServicesTest extends TestCase
{
    /**
     * @param array<mixed> $services
     */
    #[DataProvider('wrong')]
    public function testWhatIsNoServiceIsRefusedAtOnce(array $services, string $message): void
    {
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage($message);
        new Services($services);
    }

    /**
     * @return array<string, array{array<mixed>, string}>
     */
    public static function wrong(): array
    {
        return [
            'no name' => [[new stdClass()], 'not 0'],
            'a dot' => [['App.Config' => new stdClass()], 'not App.Config'],
            'an underscore first' => [['_config' => new stdClass()], 'not _config'],
            'a class' => [['Config' => stdClass::class], 'it is string'],
            'twice' => [['app_config' => new stdClass(), 'AppConfig' => new stdClass()], 'the same service'],
        ];
    }

    public function testAClosureThatGivesNoObject(): void
    {
        $services = new Services(['Config' => static fn (): string => stdClass::class]);
        self::assertNull($services->find('Other.get'));
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage('Config must give an object');
        $services->find('Config.get');
    }

    public function testMethodsOfAParentAreThere(): void
    {
        $services = new Services(['Time' => new class('2026-01-02') extends DateTimeImmutable {}]);
        self::assertSame('2026', ($services->find('time.Format') ?? static fn (array $_): string => 'none')(['Y']));
        self::assertNull($services->find('Time.createFromFormat'));
        self::assertNull($services->find('Time.__serialize'));
    }
}
