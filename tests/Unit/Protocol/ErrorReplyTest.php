<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Protocol;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\CallEnded;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\InvalidResult;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\Overloaded;
use Reasno\GoTask\Exception\PayloadTooLarge;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Exception\RemoteTraceback;
use Reasno\GoTask\Exception\Unavailable;
use Reasno\GoTask\Exception\WorkerCrashed;
use Reasno\GoTask\Protocol\ErrorReply;

use function str_repeat;
use function strlen;

#[CoversClass(ErrorReply::class)]
#[CoversClass(CallFailed::class)]
#[CoversClass(MethodNotFound::class)]
#[CoversClass(InvalidArguments::class)]
#[CoversClass(RemoteError::class)]
#[CoversClass(RemoteTraceback::class)]
#[CoversClass(CallEnded::class)]
#[CoversClass(WorkerCrashed::class)]
final class ErrorReplyTest extends TestCase
{
    public function testALongTextIsCut(): void
    {
        $message = ErrorReply::toException('App.hi', str_repeat('x', 2_000_000))->getMessage();
        self::assertLessThan(9_000, strlen($message));
        self::assertStringContainsString('2000000 bytes', $message);
    }

    /**
     * @param class-string<CallFailed> $class
     */
    #[DataProvider('codes')]
    public function testEachCodeHasItsException(string $code, string $class): void
    {
        $exception = self::reply(['code' => $code, 'message' => 'It went wrong.', 'data' => ['k' => [1]]]);

        self::assertSame($class, $exception::class);
        self::assertSame('It went wrong.', $exception->getMessage());
        self::assertSame('App.hi', $exception->method);
        self::assertSame(['k' => [1]], $exception->data);
        self::assertNull($exception->getPrevious());
    }

    /**
     * @return iterable<string, array{string, class-string<CallFailed>}>
     */
    public static function codes(): iterable
    {
        foreach ([
            'method_not_found' => MethodNotFound::class,
            'invalid_arguments' => InvalidArguments::class,
            'invalid_request' => InvalidRequest::class,
            'invalid_result' => InvalidResult::class,
            'worker_crashed' => WorkerCrashed::class,
            'deadline_exceeded' => DeadlineExceeded::class,
            'cancelled' => Cancelled::class,
            'overloaded' => Overloaded::class,
            'payload_too_large' => PayloadTooLarge::class,
            'not_authorized' => NotAuthorized::class,
            'unavailable' => Unavailable::class,
        ] as $code => $class) {
            yield $code => [$code, $class];
        }
    }

    public function testARemoteErrorHasTypeMessageAndData(): void
    {
        $exception = self::reply([
            'code' => 'remote_error',
            'message' => 'bad name',
            'type' => 'ValueError',
            'data' => ['field' => 'name'],
        ]);

        self::assertInstanceOf(RemoteError::class, $exception);
        self::assertSame('App.hi raised ValueError: bad name', $exception->getMessage());
        self::assertSame('bad name', $exception->text);
        self::assertSame('ValueError', $exception->type);
        self::assertSame(['field' => 'name'], $exception->data);
        self::assertSame('', $exception->traceback);
        self::assertNull($exception->getPrevious());
    }

    public function testARemoteErrorShowsThePythonTracebackWhereverItIsShownWithItsCause(): void
    {
        $traceback = <<<'PYTHON'
            Traceback (most recent call last):
              File "/usr/lib/python3/gotask/worker/main.py", line 20, in run
                return method(*args)
              File "/app/gotask/app.py", line 7, in hi
                raise ValueError("bad name")
            ValueError: bad name
            PYTHON;
        $exception = self::reply([
            'code' => 'remote_error',
            'message' => 'bad name',
            'type' => 'ValueError',
            'traceback' => $traceback . "\n",
            'where' => 'app.py:7 in hi',
        ]);

        self::assertInstanceOf(RemoteError::class, $exception);
        self::assertSame('App.hi raised ValueError: bad name (app.py:7 in hi)', $exception->getMessage());
        self::assertSame($traceback, $exception->traceback);
        self::assertStringContainsString($traceback, (string) $exception);
        $cause = $exception->getPrevious();
        self::assertInstanceOf(RemoteTraceback::class, $cause);
        self::assertSame($traceback, $cause->getMessage());
        self::assertSame('/app/gotask/app.py', $cause->getFile());
        self::assertSame(7, $cause->getLine());
    }

    public function testATracebackWithoutAFileIsATracebackAllTheSame(): void
    {
        $exception = self::reply(['code' => 'remote_error', 'message' => 'x', 'type' => 'E', 'traceback' => 'E: x']);

        self::assertSame('E: x', $exception->getPrevious()?->getMessage());
    }

    public function testARemoteErrorWithoutATextIsNamedOnce(): void
    {
        $reply = ['code' => 'remote_error', 'message' => 'KeyboardInterrupt', 'type' => 'KeyboardInterrupt'];

        self::assertSame('App.hi raised KeyboardInterrupt', self::reply($reply)->getMessage());
        self::assertSame('App.hi raised KeyboardInterrupt (app.py:7 in hi)', self::reply($reply + ['where' => 'app.py:7 in hi'])->getMessage());
    }

    public function testAnErrorThatThisVersionDoesNotKnowIsARemoteError(): void
    {
        $exception = self::reply(['code' => 'of_a_later_version', 'message' => 'Something new.', 'data' => ['k' => 1]]);

        self::assertInstanceOf(RemoteError::class, $exception);
        self::assertSame('App.hi failed: Something new.', $exception->getMessage());
        self::assertSame('', $exception->type);
        self::assertSame(['k' => 1], $exception->data);
    }

    #[DataProvider('texts')]
    public function testTheTextOfAPlainPeerIsTheMessage(string $body, string $message): void
    {
        $exception = ErrorReply::toException('App.hi', $body);

        self::assertInstanceOf(RemoteError::class, $exception);
        self::assertSame($message, $exception->getMessage());
        self::assertSame('App.hi', $exception->method);
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public static function texts(): iterable
    {
        yield 'text' => ['no such method', 'App.hi failed: no such method'];
        yield 'nothing' => ['', 'App.hi failed: the peer gives no reason'];
        yield 'a number' => ['5', 'App.hi failed: 5'];
        yield 'JSON of another kind' => ['{"error":"x"}', 'App.hi failed: {"error":"x"}'];
        yield 'a message without a code' => ['{"message":"x"}', 'App.hi failed: {"message":"x"}'];
        yield 'a code that is no text' => ['{"code":[],"message":"x"}', 'App.hi failed: {"code":[],"message":"x"}'];
    }

    public function testWhatIsNotOfTheRightTypeIsLeftOut(): void
    {
        $exception = self::reply(['code' => 'remote_error', 'message' => 'x', 'type' => 5, 'traceback' => [], 'data' => 'y']);

        self::assertInstanceOf(RemoteError::class, $exception);
        self::assertSame(['', '', []], [$exception->type, $exception->traceback, $exception->data]);
        self::assertNull($exception->getPrevious());
    }

    public function testAMethodThatIsNotFoundHasItsNearestNames(): void
    {
        $exception = self::reply(['code' => 'method_not_found', 'message' => 'x', 'data' => ['nearest' => ['App.hi', 5, 'App.ho']]]);
        self::assertInstanceOf(MethodNotFound::class, $exception);
        self::assertSame(['App.hi', 'App.ho'], $exception->getNearest());

        foreach ([[], ['nearest' => 'App.hi']] as $data) {
            self::assertSame([], (new MethodNotFound('x', 'y', $data))->getNearest());
        }
    }

    public function testInvalidArgumentsHaveTheSignatureAndTheArgument(): void
    {
        $data = ['signature' => 'hi(name: str)', 'argument' => 'name'];
        $exception = self::reply(['code' => 'invalid_arguments', 'message' => 'x', 'data' => $data]);
        self::assertInstanceOf(InvalidArguments::class, $exception);
        self::assertSame($data, ['signature' => $exception->getSignature(), 'argument' => $exception->getArgument()]);

        foreach ([[], ['signature' => 5, 'argument' => []]] as $data) {
            $exception = new InvalidArguments('x', 'y', $data);
            self::assertNull($exception->getSignature() ?? $exception->getArgument());
        }
    }

    public function testACrashIsTheWorkersCertificateOfDeath(): void
    {
        $exception = self::reply([
            'code' => 'worker_crashed',
            'message' => 'x',
            'data' => [
                'pid' => 4711, 'call' => 7, 'method' => 'App.hi', 'signal' => 9, 'stderr' => "No space\n", 'stack' => 'Current …',
                'peak_memory' => 1 << 30, 'oom' => true, 'reason' => 'memory',
            ],
        ]);
        self::assertInstanceOf(WorkerCrashed::class, $exception);
        self::assertSame(['App.hi', 7, 4711, 9, null], [$exception->method, $exception->call, $exception->pid, $exception->signal, $exception->exitCode]);
        self::assertSame(["No space\n", 'Current …', 1 << 30, true], [$exception->stderr, $exception->stack, $exception->peakMemory, $exception->outOfMemory]);
        self::assertSame('memory', $exception->reason);
    }

    public function testACertificateWithoutAFieldOrWithOneOfAnotherTypeHasNone(): void
    {
        foreach ([['exit_code' => 3], ['exit_code' => 3, 'pid' => '1', 'signal' => 1.5, 'oom' => 0, 'stack' => 5, 'stderr' => 5]] as $data) {
            $exception = new WorkerCrashed('x', 'App.hi', $data);
            self::assertSame([null, null, null, 3, ''], [$exception->call, $exception->pid, $exception->signal, $exception->exitCode, $exception->stderr]);
            self::assertSame(['', null, null, ''], [$exception->stack, $exception->peakMemory, $exception->outOfMemory, $exception->reason]);
            self::assertNull($exception->getPrevious());
        }
    }

    /**
     * @param class-string $class
     */
    #[TestWith(['worker_crashed', WorkerCrashed::class])]
    #[TestWith(['deadline_exceeded', DeadlineExceeded::class])]
    #[TestWith(['cancelled', Cancelled::class])]
    public function testTheStackOfACallThatWasEndedIsShownWhereverCausesAre(string $code, string $class): void
    {
        $stack = <<<'PYTHON'
            Fatal Python error: Segmentation fault

            Thread 0x00007f597133e040 (most recent call first):
              File "/usr/lib/python3.11/threading.py", line 324 in wait

            Current thread 0x00007f597133e040 (most recent call first):
              File "/app/gotask/app.py", line 89 in segfault
              File "/usr/lib/python3/gotask/worker/main.py", line 134 in run
            PYTHON;
        $exception = self::reply(['code' => $code, 'message' => 'x', 'data' => ['call' => 3, 'stack' => $stack]]);

        self::assertInstanceOf(CallEnded::class, $exception);
        self::assertSame([$class, 3, $stack], [$exception::class, $exception->call, $exception->stack]);
        $cause = $exception->getPrevious();
        self::assertInstanceOf(RemoteTraceback::class, $cause);
        self::assertSame([$stack, '/app/gotask/app.py', 89], [$cause->getMessage(), $cause->getFile(), $cause->getLine()]);
    }

    public function testAnInterruptedCallWasWhereItsOwnCodeWas(): void
    {
        $traceback = <<<'PYTHON'
            Traceback (most recent call last):
              File "/app/gotask/app.py", line 49, in block
                return os.read(reading, 1)
              File "/usr/lib/python3/gotask/worker/interrupts.py", line 68, in look
                interrupt(job)
              File "/usr/lib/python3/gotask/worker/exchange_sync.py", line 55, in interrupt
                raise Interrupted("the caller waits no longer")
            gotask.app.context.Interrupted: the caller waits no longer
            PYTHON;
        $cause = self::reply(['code' => 'deadline_exceeded', 'message' => 'x', 'data' => ['stack' => $traceback]])->getPrevious();

        self::assertSame(['/app/gotask/app.py', 49], [$cause?->getFile(), $cause?->getLine()]);
    }

    /**
     * @param array<string, mixed> $error
     */
    private static function reply(array $error): CallFailed
    {
        return ErrorReply::toException('App.hi', json_encode($error, JSON_THROW_ON_ERROR));
    }
}
